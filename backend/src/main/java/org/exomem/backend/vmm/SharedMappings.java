package org.exomem.backend.vmm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/** The shared mappings of a process, from {@code /proc/PID/maps}. */
record SharedMappings(List<Area> areas) {
    /** Of a process whose mappings can't be read. */
    static final SharedMappings NONE = new SharedMappings(List.of());

    private static final int COLUMNS = 6;
    private static final int SHARED_COLUMN = 3;

    /**
     * A part of its address space.
     *
     * @param file device and inode as text, equal for the same file only
     * @param path that it was opened by, with " (deleted)" behind it if it was removed
     */
    record Area(long from, long to, String file, String path) {
        /**
         * <pre>
         * from-to rw-s offset device inode path
         * </pre>
         */
        private static Area of(String[] row) {
            String[] range = row[0].split("-", 2);
            return new Area(
                    Long.parseUnsignedLong(range[0], 16),
                    Long.parseUnsignedLong(range[1], 16),
                    row[3] + " " + row[4],
                    row.length < COLUMNS ? "" : row[5]);
        }

        private boolean has(long address) {
            return Long.compareUnsigned(address, from) >= 0 && Long.compareUnsigned(address, to) < 0;
        }
    }

    /** @throws IOException if the process has ended, or may not be read */
    static SharedMappings of(String process) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc", process, "maps"), StandardCharsets.ISO_8859_1)) {
            return new SharedMappings(lines.map(line -> line.split(" +", COLUMNS))
                    .filter(row -> row[1].charAt(SHARED_COLUMN) == 's')
                    .map(Area::of)
                    .toList());
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /** Returns device and inode as mappings of the file show them; some file systems show {@code stat} another device. */
    static String nameOf(SharedFile file) throws IOException {
        try (Mapping first = Mapping.of(file, 0, file.pageSize())) {
            long address = first.segment().address();
            return of("self").areas().stream()
                    .filter(area -> area.has(address))
                    .map(Area::file)
                    .findFirst()
                    .orElseThrow(() -> new IOException("the kernel does not tell what is mapped at " + address));
        }
    }

    /** True if that file is not mapped, and another that was opened by this path is. */
    boolean hasAnotherThan(String file, String path) {
        return areas.stream().noneMatch(area -> area.file.equals(file))
                && areas.stream().anyMatch(area -> area.path.equals(path) || area.path.equals(path + " (deleted)"));
    }
}
