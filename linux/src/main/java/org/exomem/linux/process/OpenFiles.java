package org.exomem.linux.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What a process has open, from {@code /proc/PID/fd}.
 *
 * @param names what the kernel calls each, by the number of the descriptor: a path, {@code anon_inode:[eventfd]}, …
 */
public record OpenFiles(Map<Integer, String> names) {
    /** @throws IOException if the process has ended, or may not be looked at */
    public static OpenFiles of(int pid) throws IOException {
        Map<Integer, String> names = new TreeMap<>();
        try (Stream<Path> descriptors = Files.list(Path.of("/proc", Integer.toString(pid), "fd"))) {
            for (Path descriptor : (Iterable<Path>) descriptors::iterator) {
                try {
                    names.put(
                            Integer.parseInt(descriptor.getFileName().toString()),
                            Files.readSymbolicLink(descriptor).toString());
                } catch (IOException e) {
                    // It was closed meanwhile.
                }
            }
        }
        return new OpenFiles(names);
    }
}
