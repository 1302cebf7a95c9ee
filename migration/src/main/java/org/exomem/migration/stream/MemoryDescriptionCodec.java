package org.exomem.migration.stream;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.exomem.migration.stream.MemoryDescription.MemoryFile;

/**
 * The payload of a MEMORY chunk. Numbers are little-endian.
 *
 * <pre>
 *  0 page size  u32   bytes
 *  4 files      u32
 *  8 files, each: size u64, huge page size u64, length of the name u8, name in UTF-8
 * </pre>
 *
 * See STR-MEM-1.
 */
final class MemoryDescriptionCodec {
    private static final int HEADER = 8;
    private static final int FILE = 17;

    private MemoryDescriptionCodec() {}

    static ByteBuffer encode(MemoryDescription memory) {
        List<byte[]> names = new ArrayList<>();
        int size = HEADER;
        for (MemoryFile file : memory.files()) {
            byte[] name = file.name().getBytes(StandardCharsets.UTF_8);
            if (name.length > ChunkType.Limits.NAME) {
                throw new IllegalArgumentException("the name \"" + file.name() + "\" has " + name.length
                        + " bytes; the stream has room for " + ChunkType.Limits.NAME);
            }
            names.add(name);
            size += FILE + name.length;
        }
        ByteBuffer bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(memory.pageSize()).putInt(memory.files().size());
        for (int i = 0; i < names.size(); i++) {
            MemoryFile file = memory.files().get(i);
            bytes.putLong(file.size())
                    .putLong(file.hugePageSize())
                    .put((byte) names.get(i).length)
                    .put(names.get(i));
        }
        return bytes.flip();
    }

    /**
     * @param bytes little-endian
     */
    static MemoryDescription decode(ByteBuffer bytes) throws StreamFault {
        try {
            int pageSize = bytes.getInt();
            int files = bytes.getInt();
            if (files < 0 || files > MemoryDescription.MOST_FILES) {
                throw new StreamFault("the description of memory has " + Integer.toUnsignedString(files) + " files");
            }
            List<MemoryFile> allFiles = new ArrayList<>();
            for (int i = 0; i < files; i++) {
                allFiles.add(file(bytes));
            }
            if (bytes.hasRemaining()) {
                throw new StreamFault("the description of memory is longer than what it says");
            }
            return new MemoryDescription(pageSize, allFiles);
        } catch (BufferUnderflowException | CharacterCodingException | IllegalArgumentException e) {
            throw new StreamFault(
                    "the description of memory is not sound: "
                            + (e.getMessage() == null ? "it is cut short" : e.getMessage()),
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
