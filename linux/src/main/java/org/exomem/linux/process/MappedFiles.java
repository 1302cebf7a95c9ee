package org.exomem.linux.process;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/**
 * The shared mappings of files in a process's address space, from {@code /proc/PID/maps}, in ascending order.
 *
 * @param areas none overlapping; what is mapped without a gap in address and file is one area
 * @param pieces the same as the kernel keeps them: a userfaultfd has all of one or nothing
 */
public record MappedFiles(List<Area> areas, List<Area> pieces) {
    /** Of a process whose mappings can't be read. */
    public static final MappedFiles NONE = new MappedFiles(List.of(), List.of());

    private static final Pattern ROW = Pattern.compile(
            "([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-][w-][x-][sp]) ([0-9a-f]{1,16}) ([0-9a-f]+:[0-9a-f]+ [0-9]+)(?:"
                    + " +([^ ].*)?)?",
            Pattern.DOTALL);

    private static final int WRITABLE_COLUMN = 1;
    private static final int SHARED_COLUMN = 3;

    /**
     * A part of the address space.
     *
     * @param from address of the first byte
     * @param to address behind the last one
     * @param writable whether it may be written as it is mapped now
     * @param offset of the first byte in the file
     * @param file device and inode as text, equal for the same file only
     * @param path that it was opened by, with " (deleted)" behind it if it was removed; each byte of it is a character of its own
     */
    public record Area(long from, long to, boolean writable, long offset, String file, String path) {
        /**
         * <pre>
         * from-to rw-s offset device inode path
         * </pre>
         */
        private static Area of(Matcher row) {
            return new Area(
                    Long.parseUnsignedLong(row.group(1), 16),
                    Long.parseUnsignedLong(row.group(2), 16),
                    row.group(3).charAt(WRITABLE_COLUMN) == 'w',
                    Long.parseUnsignedLong(row.group(4), 16),
                    row.group(5),
                    row.group(6) == null ? "" : row.group(6));
        }

        /** What its path ends in, without the folders: a name of letters, digits and signs of ASCII is just that. */
        public String fileName() {
            return path.substring(path.lastIndexOf('/') + 1);
        }

        /**
         * Its path, as far as this process can name it: in a file system that it sees otherwise, another file may be there.
         *
         * @throws InvalidPathException if the path has characters that this process's locale does not have
         */
        public Path toPath() {
            return Path.of(new String(path.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8));
        }

        /** Bytes. */
        public long length() {
            return to - from;
        }

        /** So many bytes of it from an address in it on. */
        public Area part(long address, long count) {
            return new Area(address, address + count, writable, offset + address - from, file, path);
        }

        /** What is left of it without a part of the file: nothing, one area or two. */
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

        private boolean has(long address) {
            return Long.compareUnsigned(address, from) >= 0 && Long.compareUnsigned(address, to) < 0;
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

    /** @throws IOException if the process has ended, or may not be looked at */
    public static MappedFiles of(int pid) throws IOException {
        return of(Integer.toString(pid));
    }

    private static MappedFiles of(String process) throws IOException {
        return parse(Files.readString(Path.of("/proc", process, "maps"), StandardCharsets.ISO_8859_1));
    }

    /**
     * Takes the text apart. A path may have any character but the one that ends a line, which the kernel writes otherwise.
     *
     * @throws IOException if it is no list of mappings
     */
    static MappedFiles parse(String maps) throws IOException {
        List<Area> pieces = new ArrayList<>();
        List<Area> areas = new ArrayList<>();
        for (String line : maps.isEmpty() ? new String[0] : maps.split("\n")) {
            Matcher row = ROW.matcher(line);
            if (!row.matches()) {
                throw new IOException("no line of a list of mappings: " + line);
            }
            if (row.group(3).charAt(SHARED_COLUMN) == 's') {
                Area piece = Area.of(row);
                if (Long.compareUnsigned(piece.from, piece.to) >= 0) {
                    throw new IOException("a mapping that ends before it begins: " + line);
                }
                pieces.add(piece);
                add(areas, piece);
            }
        }
        return new MappedFiles(List.copyOf(areas), List.copyOf(pieces));
    }

    /**
     * The private mappings of files in a process's address space, in ascending order, as the kernel keeps them.
     *
     * @throws IOException if the process has ended, or may not be looked at
     */
    public static List<Area> privateOf(int pid) throws IOException {
        List<Area> areas = new ArrayList<>();
        String maps = Files.readString(Path.of("/proc", Integer.toString(pid), "maps"), StandardCharsets.ISO_8859_1);
        for (String line : maps.split("\n")) {
            Matcher row = ROW.matcher(line);
            if (row.matches() && row.group(3).charAt(SHARED_COLUMN) == 'p' && row.group(6) != null) {
                areas.add(Area.of(row));
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

    /** The same of all processes that may be looked at and mention one of the files, in no order; a process that ends meanwhile is left out. */
    public static List<Mapper> ofAllThatMap(List<String> files) throws IOException {
        List<Mapper> found = new ArrayList<>();
        MappingQuery query = new MappingQuery(files);
        byte[][] wanted = files.stream()
                .map(file -> (" " + file + " ").getBytes(StandardCharsets.ISO_8859_1))
                .toArray(byte[][]::new);
        String[] names = new File("/proc").list();
        if (names == null) {
            throw new IOException("/proc can't be read, so nobody can tell who has the memory mapped");
        }
        for (String name : names) {
            if (Character.isDigit(name.charAt(0)) && maps(name, query, wanted)) {
                addMapper(found, Integer.parseInt(name), files);
            }
        }
        return found;
    }

    /** A process and what it has mapped of the files that were asked for. */
    public record Mapper(int pid, List<Area> areas) {}

    private static void addMapper(List<Mapper> found, int pid, List<String> files) {
        try {
            found.add(new Mapper(
                    pid,
                    of(pid).areas.stream()
                            .filter(area -> files.contains(area.file))
                            .toList()));
        } catch (IOException e) {
            // It has ended.
        }
    }

    private static boolean maps(String process, MappingQuery query, byte[][] wanted) {
        return switch (query.shares(process)) {
            case YES -> true;
            case NO -> false;
            case UNKNOWN -> mentions(Path.of("/proc", process, "maps"), wanted);
        };
    }

    /** Looks at bytes, as most processes map none of the files, and to take all lines of all processes apart takes long. */
    private static boolean mentions(Path maps, byte[][] wanted) {
        try (InputStream in = Files.newInputStream(maps)) {
            byte[] text = in.readAllBytes();
            for (byte[] file : wanted) {
                if (contains(text, file)) {
                    return true;
                }
            }
        } catch (IOException e) {
            // It has ended, or may not be looked at.
        }
        return false;
    }

    private static boolean contains(byte[] text, byte[] wanted) {
        int last = text.length - wanted.length;
        for (int at = 0; at <= last; at++) {
            int i = 0;
            while (i < wanted.length && text[at + i] == wanted[i]) {
                i++;
            }
            if (i == wanted.length) {
                return true;
            }
        }
        return false;
    }

    /** Returns device and inode as mappings of the file show them; some file systems show {@code stat} another device. */
    public static String nameOf(SharedFile file) throws IOException {
        try (Mapping first = Mapping.forReading(file, 0, file.pageSize())) {
            long address = first.segment().address();
            return of("self").areas().stream()
                    .filter(area -> area.has(address))
                    .map(Area::file)
                    .findFirst()
                    .orElseThrow(() -> new IOException("the kernel does not tell what is mapped at " + address));
        }
    }

    /** True if that file is not mapped, and another that was opened by this path is. */
    public boolean hasAnotherThan(String file, String path) {
        String bytes = new String(path.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        return areas.stream().noneMatch(area -> area.file.equals(file))
                && areas.stream().anyMatch(area -> area.path.equals(bytes) || area.path.equals(bytes + " (deleted)"));
    }
}
