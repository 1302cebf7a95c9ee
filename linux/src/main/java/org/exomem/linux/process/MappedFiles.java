package org.exomem.linux.process;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/**
 * The shared mappings of files in a process's address space, from {@code /proc/PID/maps}, in ascending order. Immutable.
 *
 * @param areas none overlapping; mappings without a gap in address and file are one area
 * @param pieces the same, divided as in the kernel: a userfaultfd has all of a piece or nothing
 */
public record MappedFiles(List<Area> areas, List<Area> pieces) {
    /** For a process whose mappings can't be read. */
    public static final MappedFiles NONE = new MappedFiles(List.of(), List.of());

    private static final Pattern ROW = Pattern.compile(
            "([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-][w-][x-][sp]) ([0-9a-f]{1,16}) ([0-9a-f]+:[0-9a-f]+ [0-9]+)(?:"
                    + " +([^ ].*)?)?",
            Pattern.DOTALL);

    private static final String MAPS = "maps";
    /**
     * The largest text from which areas are made: twice that of a process with as many mappings as the kernel allows by
     * default.
     */
    static final long MAX_BYTES = 16 << 20;

    private static final int WRITABLE_COLUMN = 1;
    private static final int SHARED_COLUMN = 3;

    /**
     * A part of the address space.
     *
     * @param from address of the first byte
     * @param to address after the last byte
     * @param writable whether the present mapping is writable
     * @param offset of the first byte in the file
     * @param file device and inode as text, equal only for the same file
     * @param path with which it was opened, followed by " (deleted)" if it was removed; each byte of it is a character
     */
    public record Area(long from, long to, boolean writable, long offset, String file, String path) {
        /**
         * <pre>
         * from-to rw-s offset device inode path
         * </pre>
         *
         * @param before the area whose texts are reused if they are equal
         */
        private static Area of(Matcher row, Area before) {
            String file = row.group(5);
            String path = row.group(6) == null ? "" : row.group(6);
            return new Area(
                    Long.parseUnsignedLong(row.group(1), 16),
                    Long.parseUnsignedLong(row.group(2), 16),
                    row.group(3).charAt(WRITABLE_COLUMN) == 'w',
                    Long.parseUnsignedLong(row.group(4), 16),
                    file.equals(before.file) ? before.file : file,
                    path.equals(before.path) ? before.path : path);
        }

        /** The last part of its path. Correct for a name of ASCII letters, digits and signs. */
        public String fileName() {
            return path.substring(path.lastIndexOf('/') + 1);
        }

        /**
         * Its path, as far as this process can name it: in another view of the file system, another file may be there.
         *
         * @throws InvalidPathException if the path has characters that this process's locale does not have
         */
        public Path toPath() {
            return Path.of(new String(path.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8));
        }

        /** The length in bytes. */
        public long length() {
            return to - from;
        }

        /** The part of {@code count} bytes from an address in it. */
        public Area part(long address, long count) {
            return new Area(address, address + count, writable, offset + address - from, file, path);
        }

        /** The rest of it without a part of the file: no area, one or two. */
        public List<Area> without(long fileOffset, long count) {
            long first = Math.max(offset, fileOffset);
            long end = Math.min(offset + length(), fileOffset + count);
            if (first >= end) {
                return List.of(this);
            }
            List<Area> left = new ArrayList<>(2);
            if (first > offset) {
                left.add(new Area(from, from + first - offset, writable, offset, file, path));
            }
            if (end < offset + length()) {
                left.add(new Area(from + end - offset, to, writable, end, file, path));
            }
            return left;
        }

        private boolean goesOnWith(Area next) {
            return to == next.from
                    && writable == next.writable
                    && file.equals(next.file)
                    && offset + length() == next.offset;
        }

        private Area with(Area next) {
            return new Area(from, next.to, writable, offset, file, path);
        }
    }

    /** @throws IOException if the process has ended, or may not be examined */
    public static MappedFiles of(int pid) throws IOException {
        return of(Integer.toString(pid));
    }

    private static MappedFiles of(String process) throws IOException {
        try (ProcessLines lines = ProcessLines.of(process, MAPS)) {
            return shared(new Rows(process, lines), line -> true);
        }
    }

    /**
     * The shared mappings of one file in a process's address space, in ascending order; mappings without a gap are one area.
     *
     * @param file in the format of {@link #nameOf}
     * @throws IOException if the process has ended, or may not be examined
     */
    public static List<Area> of(int pid, String file) throws IOException {
        return of(Integer.toString(pid), List.of(file));
    }

    private static List<Area> of(String process, List<String> files) throws IOException {
        String[] words = words(files);
        try (ProcessLines lines = ProcessLines.of(process, MAPS)) {
            return shared(new Rows(process, lines), line -> mentions(line, words)).areas.stream()
                    .filter(area -> files.contains(area.file))
                    .toList();
        }
    }

    /**
     * Parses the text. A path may have any character but a line end, which the kernel escapes.
     *
     * @throws IOException if it is no list of mappings
     */
    static MappedFiles parse(String maps) throws IOException {
        return shared(new Rows("?", ProcessLines.of(maps)), line -> true);
    }

    /** The lines of a list of mappings. A process could have so many that their areas would fill the heap. */
    private static final class Rows {
        private final String process;
        private final ProcessLines lines;
        private long taken;
        private Area last = new Area(0, 0, false, 0, "", "");

        Rows(String process, ProcessLines lines) {
            this.process = process;
            this.lines = lines;
        }

        /** The next wanted line, or null after the last one. */
        @Nullable
        Matcher next(Predicate<String> wanted) throws IOException {
            for (String line = lines.next(); line != null; line = lines.next()) {
                if (wanted.test(line)) {
                    Matcher row = ROW.matcher(line);
                    if (!row.matches()) {
                        throw new IOException("not a line of a list of mappings: " + line);
                    }
                    return row;
                }
            }
            return null;
        }

        /** @throws TooManyMappingsException if all lines that were taken have more than {@value #MAX_BYTES} bytes of text */
        Area take(Matcher row) throws TooManyMappingsException {
            taken += row.end() + 1L;
            if (taken > MAX_BYTES) {
                throw new TooManyMappingsException(process, MAX_BYTES);
            }
            last = Area.of(row, last);
            return last;
        }
    }

    private static MappedFiles shared(Rows rows, Predicate<String> wanted) throws IOException {
        List<Area> pieces = new ArrayList<>();
        List<Area> areas = new ArrayList<>();
        for (Matcher row = rows.next(wanted); row != null; row = rows.next(wanted)) {
            if (row.group(3).charAt(SHARED_COLUMN) == 's') {
                Area piece = rows.take(row);
                if (Long.compareUnsigned(piece.from, piece.to) >= 0) {
                    throw new IOException("a mapping that ends before it begins: " + row.group());
                }
                pieces.add(piece);
                add(areas, piece);
            }
        }
        return new MappedFiles(List.copyOf(areas), List.copyOf(pieces));
    }

    /**
     * The private mappings of files in a process's address space, in ascending order, divided as in the kernel.
     *
     * @throws IOException if the process has ended, or may not be examined
     */
    public static List<Area> privateOf(int pid) throws IOException {
        List<Area> areas = new ArrayList<>();
        String process = Integer.toString(pid);
        try (ProcessLines lines = ProcessLines.of(process, MAPS)) {
            Rows rows = new Rows(process, lines);
            for (Matcher row = rows.next(line -> true); row != null; row = rows.next(line -> true)) {
                if (row.group(3).charAt(SHARED_COLUMN) == 'p' && row.group(6) != null) {
                    areas.add(rows.take(row));
                }
            }
        }
        return areas;
    }

    private static void add(List<Area> areas, Area area) {
        if (!areas.isEmpty() && areas.getLast().goesOnWith(area)) {
            areas.set(areas.size() - 1, areas.getLast().with(area));
        } else {
            areas.add(area);
        }
    }

    /**
     * The shared mappings of these files in all processes that may be examined, in no order. Processes that end meanwhile
     * are left out.
     *
     * @throws IOException if a process has too many mappings
     */
    public static List<Mapper> ofAllThatMap(List<String> files) throws IOException {
        List<Mapper> found = new ArrayList<>();
        MappingQuery query = new MappingQuery(files);
        String[] wanted = words(files);
        String[] names = new File("/proc").list();
        if (names == null) {
            throw new IOException("/proc can't be read, so the processes that have mapped the memory are unknown");
        }
        for (String name : names) {
            if (Character.isDigit(name.charAt(0)) && maps(name, query, wanted)) {
                addMapper(found, Integer.parseInt(name), files);
            }
        }
        return found;
    }

    /** A process and its mappings of the wanted files. */
    public record Mapper(int pid, List<Area> areas) {}

    /** @throws TooManyMappingsException because mappings that are not examined must not count as missing */
    private static void addMapper(List<Mapper> found, int pid, List<String> files) throws TooManyMappingsException {
        try {
            found.add(new Mapper(pid, of(Integer.toString(pid), files)));
        } catch (TooManyMappingsException e) {
            throw e;
        } catch (IOException e) {
            // It has ended.
        }
    }

    private static boolean maps(String process, MappingQuery query, String[] wanted) {
        return switch (query.shares(process)) {
            case YES -> true;
            case NO -> false;
            case UNKNOWN -> mentionsOne(process, wanted);
        };
    }

    /** A fast check: most processes map none of the files, and parsing all lines of all processes takes long. */
    private static boolean mentionsOne(String process, String[] wanted) {
        try (ProcessLines lines = ProcessLines.of(process, MAPS)) {
            for (String line = lines.next(); line != null; line = lines.next()) {
                if (mentions(line, wanted)) {
                    return true;
                }
            }
        } catch (IOException e) {
            // It has ended, or may not be examined.
        }
        return false;
    }

    /** The files as they appear between the other columns. */
    private static String[] words(List<String> files) {
        return files.stream().map(file -> " " + file + " ").toArray(String[]::new);
    }

    private static boolean mentions(String line, String[] words) {
        for (String word : words) {
            if (line.contains(word)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Returns device and inode as mappings of the file show them. Some file systems show {@code stat} another device.
     *
     * @throws IOException if the file can't be mapped
     */
    public static String nameOf(SharedFile file) throws IOException {
        try (Mapping first = Mapping.forReading(file, 0, file.pageSize())) {
            return fileAt(first.segment().address());
        }
    }

    /** Only the one mapping is parsed, as this process may have many. */
    private static String fileAt(long address) throws IOException {
        try (ProcessLines lines = ProcessLines.of("self", MAPS)) {
            Rows rows = new Rows("self", lines);
            Matcher row = rows.next(line -> hasAddress(line, address));
            if (row == null) {
                throw new IOException("the kernel does not report what is mapped at " + address);
            }
            return rows.take(row).file;
        }
    }

    private static boolean hasAddress(String line, long address) {
        int dash = line.indexOf('-');
        int blank = line.indexOf(' ');
        return dash > 0
                && blank > dash
                && Long.compareUnsigned(address, Long.parseUnsignedLong(line, 0, dash, 16)) >= 0
                && Long.compareUnsigned(address, Long.parseUnsignedLong(line, dash + 1, blank, 16)) < 0;
    }

    /** True if that file is not mapped, and another file that was opened with this path is. */
    public boolean hasAnotherThan(String file, String path) {
        String bytes = new String(path.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        return areas.stream().noneMatch(area -> area.file.equals(file))
                && areas.stream().anyMatch(area -> area.path.equals(bytes) || area.path.equals(bytes + " (deleted)"));
    }
}
