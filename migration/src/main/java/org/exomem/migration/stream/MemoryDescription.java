package org.exomem.migration.stream;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The memory that travels: whole files. Pages are numbered through all files, one after the
 * other. The constructor refuses what contradicts itself, so that every description that exists is sound.
 *
 * @param pageSize bytes of a page of the stream, a power of two
 * @param files at least one
 */
public record MemoryDescription(int pageSize, List<MemoryFile> files) {
    /** The smallest and the largest page, bytes. */
    static final int LEAST_PAGE = 8;

    static final int MOST_PAGE = 1 << 18;
    /** The most files. */
    static final int MOST_FILES = 64;

    /**
     * One file.
     *
     * @param name what both ends call it, as in {@code pc.ram}; 1 to 255 bytes of UTF-8
     * @param size bytes, a multiple of the page size
     * @param hugePageSize bytes of what the file gives back to its host at a time, at least a page; for the user, who may want
     *     the same at both ends
     */
    public record MemoryFile(String name, long size, long hugePageSize) {}

    /**
     * @throws IllegalArgumentException naming what contradicts what
     */
    public MemoryDescription {
        files = List.copyOf(files);
        require(
                Integer.bitCount(pageSize) == 1 && pageSize >= LEAST_PAGE && pageSize <= MOST_PAGE,
                "a page has " + Integer.toUnsignedString(pageSize) + " bytes; it must have a power of two, "
                        + LEAST_PAGE + " to " + MOST_PAGE);
        require(
                !files.isEmpty() && files.size() <= MOST_FILES,
                files.size() + " files; there may be 1 to " + MOST_FILES);
        checkFiles(pageSize, files);
    }

    private static void checkFiles(int pageSize, List<MemoryFile> files) {
        Set<String> names = new HashSet<>();
        long all = 0;
        for (MemoryFile file : files) {
            require(
                    !file.name.isEmpty() && names.add(file.name),
                    "two files, or one of no name, are called \"" + file.name + "\"");
            require(
                    file.size > 0 && file.size % pageSize == 0 && file.size <= Long.MAX_VALUE - all,
                    "file " + file.name + " has " + Long.toUnsignedString(file.size)
                            + " bytes, which is no sound number of pages");
            require(
                    Long.bitCount(file.hugePageSize) == 1 && file.hugePageSize > 0 && file.hugePageSize <= 1L << 40,
                    "file " + file.name + " is of pages of " + Long.toUnsignedString(file.hugePageSize) + " bytes");
            all += file.size;
        }
    }

    private static void require(boolean condition, String otherwise) {
        if (!condition) {
            throw new IllegalArgumentException(otherwise);
        }
    }

    /** The pages of all files. */
    public long pages() {
        long bytes = 0;
        for (MemoryFile file : files) {
            bytes += file.size;
        }
        return bytes / pageSize;
    }
}
