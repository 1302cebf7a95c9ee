package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Memory of this machine that was written just now, and is freed when this is closed. A virtual machine must get memory
 * from its host that was unused for a while, which is ten times as slow as copying a migration's pages into it. Without
 * this, a benchmark would measure the host.
 */
final class WarmMemory implements AutoCloseable {
    private static final int PIECE = 1 << 20;

    private final Path file;

    private WarmMemory(Path file) {
        this.file = file;
    }

    /** @param folder in a memory file system */
    static WarmMemory of(Path folder, long bytes) throws IOException {
        Path file = folder.resolve("warm");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(PIECE);
            piece.fill((byte) 1);
            ByteBuffer buffer = piece.asByteBuffer();
            for (long at = 0; at < bytes; at += PIECE) {
                channel.write(buffer.rewind(), at);
            }
        }
        return new WarmMemory(file);
    }

    @Override
    public void close() throws IOException {
        Files.delete(file);
    }
}
