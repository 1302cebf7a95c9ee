package org.exomem.linux.process;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Finds files that a process has open with {@code O_DIRECT}, in {@code /proc/PID/fdinfo}. x86-64 only. */
public final class DirectFiles {
    private static final int O_DIRECT = 0x4000;
    private static final String FLAGS = "flags:";
    private static final int OCTAL = 8;

    private DirectFiles() {}

    /**
     * True if the process has one open now. Pipes in packet mode count too.
     *
     * @throws IOException if the process has ended, or may not be examined
     */
    public static boolean any(int pid) throws IOException {
        try (DirectoryStream<Path> descriptors =
                Files.newDirectoryStream(Path.of("/proc", Integer.toString(pid), "fdinfo"))) {
            for (Path descriptor : descriptors) {
                if (isDirect(descriptor)) {
                    return true;
                }
            }
            return false;
        }
    }

    private static boolean isDirect(Path descriptor) {
        try {
            return Files.readString(descriptor, StandardCharsets.ISO_8859_1)
                    .lines()
                    .filter(line -> line.startsWith(FLAGS))
                    .mapToLong(line ->
                            Long.parseLong(line.substring(FLAGS.length()).strip(), OCTAL))
                    .anyMatch(flags -> (flags & O_DIRECT) != 0);
        } catch (IOException e) {
            // It was closed meanwhile.
            return false;
        }
    }
}
