package org.exomem.migration.stream.format;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.exomem.migration.StreamFault;

/**
 * The migrated memory: whole files. Pages are numbered through all files, one after the other (STR-MEM-2). The constructor
 * refuses inconsistent values, so that every object is consistent (STR-MEM-1).
 *
 * <p>As the payload of a MEMORY chunk, little-endian:
 *
 * <pre>
 *  0 page size  u32   bytes
 *  4 files      u32
 *  8 files, each
 *     0 size             u64  bytes
 *     8 huge page size   u64  bytes
 *    16 length of name   u8
 *    17 name             UTF-8
 * </pre>
 *
 * @param pageSize bytes of a page of the stream, a power of two
 * @param files at least one
 */
public record MemoryDescription(int pageSize, List<MemoryFile> files) {
    /** The size of the smallest and the largest page, in bytes. */
    static final int LEAST_PAGE = 8;

    static final int MOST_PAGE = 1 << 18;
    /** The most files. */
    static final int MOST_FILES = 64;

    private static final int HEADER = 8;
    private static final int FILE = 17;

    /**
     * One file.
     *
     * @param name the same at both ends, such as {@code pc.ram}; 1 to 255 bytes of UTF-8
     * @param size in bytes, a multiple of the page size
     * @param hugePageSize the bytes that the file gives back to its host at a time, at least a page; for the user, who may
     *     want the same at both ends
     */
    public record MemoryFile(String name, long size, long hugePageSize) {}

    /** @throws IllegalArgumentException naming the inconsistent values */
    public MemoryDescription {
        files = List.copyOf(files);
        require(
                Integer.bitCount(pageSize) == 1 && pageSize >= LEAST_PAGE && pageSize <= MOST_PAGE,
                "a page has " + Integer.toUnsignedString(pageSize) + " bytes; it must have a power of two, "
                        + LEAST_PAGE + " to " + MOST_PAGE);
        require(!files.isEmpty() && files.size() <= MOST_FILES, files.size() + " files; must be 1 to " + MOST_FILES);
        checkFiles(pageSize, files);
    }

    private static void checkFiles(int pageSize, List<MemoryFile> files) {
        Set<String> names = new HashSet<>();
        long all = 0;
        for (MemoryFile file : files) {
            require(
                    !file.name.isEmpty() && names.add(file.name),
                    "the file name \"" + file.name + "\" is empty or used twice");
            require(
                    file.size > 0 && file.size % pageSize == 0 && file.size <= Long.MAX_VALUE - all,
                    "file " + file.name + " has " + Long.toUnsignedString(file.size)
                            + " bytes, which is not a valid number of pages");
            require(
                    Long.bitCount(file.hugePageSize) == 1 && file.hugePageSize > 0 && file.hugePageSize <= 1L << 40,
                    "file " + file.name + " has pages of " + Long.toUnsignedString(file.hugePageSize) + " bytes");
            all += file.size;
        }
    }

    private static void require(boolean condition, String otherwise) {
        if (!condition) {
            throw new IllegalArgumentException(otherwise);
        }
    }

    /** The number of pages of all files. */
    public long pages() {
        long bytes = 0;
        for (MemoryFile file : files) {
            bytes += file.size;
        }
        return bytes / pageSize;
    }

    /**
     * Returns the payload of a MEMORY chunk.
     *
     * @throws IllegalArgumentException if a name is too long for the stream
     */
    public ByteBuffer encode() {
        List<byte[]> names = new ArrayList<>();
        int size = HEADER;
        for (MemoryFile file : files) {
            byte[] name = file.name().getBytes(StandardCharsets.UTF_8);
            if (name.length > ChunkType.Limits.NAME) {
                throw new IllegalArgumentException("the name \"" + file.name() + "\" has " + name.length
                        + " bytes; the limit is " + ChunkType.Limits.NAME);
            }
            names.add(name);
            size += FILE + name.length;
        }
        ByteBuffer bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(pageSize).putInt(files.size());
        for (int i = 0; i < names.size(); i++) {
            MemoryFile file = files.get(i);
            bytes.putLong(file.size())
                    .putLong(file.hugePageSize())
                    .put((byte) names.get(i).length)
                    .put(names.get(i));
        }
        return bytes.flip();
    }

    /**
     * Reads the payload of a MEMORY chunk.
     *
     * @param bytes little-endian
     * @throws StreamFault if it is inconsistent or truncated
     */
    public static MemoryDescription decode(ByteBuffer bytes) throws StreamFault {
        try {
            int pageSize = bytes.getInt();
            int files = bytes.getInt();
            if (files < 0 || files > MOST_FILES) {
                throw new StreamFault("the description of memory has " + Integer.toUnsignedString(files) + " files");
            }
            List<MemoryFile> allFiles = new ArrayList<>();
            for (int i = 0; i < files; i++) {
                allFiles.add(file(bytes));
            }
            if (bytes.hasRemaining()) {
                throw new StreamFault("the description of memory has extra bytes at its end");
            }
            return new MemoryDescription(pageSize, allFiles);
        } catch (BufferUnderflowException | CharacterCodingException | IllegalArgumentException e) {
            throw new StreamFault(
                    "the description of memory is invalid: "
                            + (e.getMessage() == null ? "it is truncated" : e.getMessage()),
                    e);
        }
    }

    private static MemoryFile file(ByteBuffer bytes) throws CharacterCodingException {
        long size = bytes.getLong();
        long hugePageSize = bytes.getLong();
        int length = Byte.toUnsignedInt(bytes.get());
        if (length > bytes.remaining()) {
            throw new BufferUnderflowException();
        }
        String name = StandardCharsets.UTF_8
                .newDecoder()
                .decode(bytes.slice(bytes.position(), length))
                .toString();
        bytes.position(bytes.position() + length);
        return new MemoryFile(ForeignText.plain(name), size, hugePageSize);
    }
}
