package org.exomem.linux.process;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Finds the processes that have a file mapped, shared or private, from the lists of mappings of all processes that may be
 * examined.
 */
public final class FileHolders {
    /** The column of {@code rw-s} or {@code rw-p} after the addresses. */
    private static final int SHARING_COLUMN = 3;

    private FileHolders() {}

    /**
     * A process that has a file mapped.
     *
     * @param program its name, at most 15 characters
     * @param file device and inode, in the format of {@link MappedFiles#nameOf}
     * @param shared whether other processes see its writes
     */
    public record Holder(int pid, String program, String file, boolean shared) {}

    /**
     * Examines all processes. Processes that end meanwhile, or that this user may not examine, are left out.
     *
     * @param files in the format of {@link MappedFiles#nameOf}
     * @return one entry for each process, file and kind of mapping, in ascending order of processes
     * @throws IOException if /proc can't be read
     */
    public static List<Holder> of(List<String> files) throws IOException {
        String[] names = new File("/proc").list((folder, name) -> Character.isDigit(name.charAt(0)));
        if (names == null) {
            throw new IOException("/proc can't be read, so the processes that have mapped a file are unknown");
        }
        List<Holder> found = new ArrayList<>();
        for (String name : names) {
            try {
                add(found, name, files);
            } catch (IOException e) {
                // It has ended, or may not be examined.
            }
        }
        found.sort((one, other) -> Integer.compare(one.pid, other.pid));
        return List.copyOf(found);
    }

    private static void add(List<Holder> found, String process, List<String> files) throws IOException {
        Set<Mapped> mapped = new LinkedHashSet<>();
        try (ProcessLines lines = ProcessLines.of(process, "maps")) {
            for (String line = lines.next(); line != null; line = lines.next()) {
                for (String file : files) {
                    if (line.contains(" " + file + " ")) {
                        mapped.add(new Mapped(file, isShared(line)));
                    }
                }
            }
        }
        if (mapped.isEmpty()) {
            return;
        }
        String program = Files.readString(Path.of("/proc", process, "comm"), StandardCharsets.ISO_8859_1)
                .strip();
        for (Mapped one : mapped) {
            found.add(new Holder(Integer.parseInt(process), program, one.file, one.shared));
        }
    }

    private record Mapped(String file, boolean shared) {}

    private static boolean isShared(String line) {
        return line.charAt(line.indexOf(' ') + 1 + SHARING_COLUMN) == 's';
    }
}
