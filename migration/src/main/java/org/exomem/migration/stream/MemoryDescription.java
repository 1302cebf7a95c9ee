package org.exomem.migration.stream;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The memory that travels: whole files, and where the guest sees them. Pages are numbered through all files, one after the
 * other. The constructor refuses what contradicts itself, so that every description that exists is sound.
 *
 * @param pageSize bytes of a page of the stream, a power of two
 * @param files at least one
 * @param ranges where the guest sees parts of them; may be empty
 */
public record MemoryDescription(int pageSize, List<MemoryFile> files, List<GuestRange> ranges) {
    /** The smallest and the largest page, bytes. */
    static final int LEAST_PAGE = 8;

    static final int MOST_PAGE = 1 << 18;
    /** The most files and ranges. */
    static final int MOST_FILES = 64;

    static final int MOST_RANGES = 4096;

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
     * A part of the guest's address space.
     *
     * @param guestAddress bytes
     * @param length bytes, at least 1
     * @param file which of the files, from 0
     * @param offset bytes, in the file
     */
    public record GuestRange(long guestAddress, long length, int file, long offset) {}

    /**
     * @throws IllegalArgumentException naming what contradicts what
     */
    public MemoryDescription {
        files = List.copyOf(files);
        ranges = List.copyOf(ranges);
        require(
                Integer.bitCount(pageSize) == 1 && pageSize >= LEAST_PAGE && pageSize <= MOST_PAGE,
                "a page has " + Integer.toUnsignedString(pageSize) + " bytes; it must have a power of two, "
                        + LEAST_PAGE + " to " + MOST_PAGE);
        require(
                !files.isEmpty() && files.size() <= MOST_FILES,
                files.size() + " files; there may be 1 to " + MOST_FILES);
        require(ranges.size() <= MOST_RANGES, ranges.size() + " ranges; there may be up to " + MOST_RANGES);
        checkFiles(pageSize, files);
        for (GuestRange range : ranges) {
            checkRange(range, files);
        }
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

    private static void checkRange(GuestRange range, List<MemoryFile> files) {
        require(
                range.file >= 0 && range.file < files.size(),
                "a range is in file " + range.file + " of " + files.size());
        long size = files.get(range.file).size;
        require(
                range.length > 0
                        && range.offset >= 0
                        && range.length <= size
                        && range.offset <= size - range.length
                        && Long.compareUnsigned(range.guestAddress, -range.length) <= 0,
                "the range of " + Long.toUnsignedString(range.length) + " bytes at guest address 0x"
                        + Long.toHexString(range.guestAddress) + " reaches beyond its file or the address space");
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

    /** What another memory has different, for people; empty if pages can travel from one to the other. */
    public Optional<String> differenceFrom(MemoryDescription other) {
        List<String> differences = new ArrayList<>();
        if (pageSize != other.pageSize) {
            differences.add("pages of " + pageSize + " bytes, not " + other.pageSize);
        }
        if (files.size() != other.files.size()) {
            differences.add(files.size() + " memory files, not " + other.files.size());
        } else {
            for (int i = 0; i < files.size(); i++) {
                MemoryFile mine = files.get(i);
                MemoryFile theirs = other.files.get(i);
                if (!mine.name.equals(theirs.name)) {
                    differences.add("file " + i + " is \"" + mine.name + "\", not \"" + theirs.name + "\"");
                } else if (mine.size != theirs.size) {
                    differences.add("file " + mine.name + " has " + mine.size + " bytes, not " + theirs.size);
                }
            }
        }
        if (differences.isEmpty() && !ranges.equals(other.ranges)) {
            differences.add("the guest sees it at other addresses");
        }
        return differences.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", differences));
    }
}
