package org.exomem.linux.process;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The open files of a process, from {@code /proc/PID/fd}.
 *
 * @param names the kernel's name of each, by descriptor number: a path, {@code anon_inode:[eventfd]}, …
 */
public record OpenFiles(Map<Integer, String> names) {
    /** @throws IOException if the process has ended, or may not be examined, which is an {@link AccessDeniedException} */
    public static OpenFiles of(int pid) throws IOException {
        Map<Integer, String> names = new TreeMap<>();
        Path folder = Path.of("/proc", Integer.toString(pid), "fd");
        try (Stream<Path> descriptors = list(folder)) {
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

    private static Stream<Path> list(Path folder) throws IOException {
        try {
            return Files.list(folder);
        } catch (AccessDeniedException e) {
            AccessDeniedException because = new AccessDeniedException(
                    folder.toString(),
                    null,
                    "not permitted; it requires root, or both CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or"
                            + " the same user");
            because.initCause(e);
            throw because;
        }
    }
}
