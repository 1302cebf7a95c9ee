package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/** A plain copy from one file into another through a socket. */
final class PlainCopy {
    /** Bytes for each system call. More is not faster, and less is slower. */
    static final int PIECE = 1 << 18;

    private PlainCopy() {}

    /** Sends a file from its mapping. Returns when the other end has confirmed that it has all of it. */
    static void send(SharedFile file, SocketChannel socket) throws IOException {
        try (Mapping mapping = Mapping.of(file, 0, file.size())) {
            MemorySegment all = mapping.segment();
            for (long at = 0; at < all.byteSize(); at += PIECE) {
                ByteBuffer piece =
                        all.asSlice(at, Math.min(PIECE, all.byteSize() - at)).asByteBuffer();
                while (piece.hasRemaining()) {
                    socket.write(piece);
                }
            }
        }
        ByteBuffer done = ByteBuffer.allocate(1);
        if (socket.read(done) != 1) {
            throw new IOException("the receiver of a plain copy closed the connection");
        }
    }

    /** Receives a file's bytes into a buffer, and writes them to the file. */
    static void receiveByCalls(SharedFile file, SocketChannel socket) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE);
        try (FileChannel channel = writable(file)) {
            long size = file.size();
            for (long at = 0; at < size; ) {
                buffer.clear().limit((int) Math.min(PIECE, size - at));
                read(socket, buffer);
                buffer.flip();
                while (buffer.hasRemaining()) {
                    at += channel.write(buffer, at);
                }
            }
        }
        socket.write(ByteBuffer.allocate(1));
    }

    /** Receives a file's bytes into its mapping. */
    static void receiveMapped(SharedFile file, SocketChannel socket) throws IOException {
        try (Mapping mapping = Mapping.of(file, 0, file.size())) {
            MemorySegment all = mapping.segment();
            for (long at = 0; at < all.byteSize(); at += PIECE) {
                ByteBuffer piece =
                        all.asSlice(at, Math.min(PIECE, all.byteSize() - at)).asByteBuffer();
                while (piece.hasRemaining()) {
                    read(socket, piece);
                }
            }
        }
        socket.write(ByteBuffer.allocate(1));
    }

    private static void read(SocketChannel socket, ByteBuffer into) throws IOException {
        if (socket.read(into) < 0) {
            throw new IOException("the sender of a plain copy closed the connection");
        }
    }

    private static FileChannel writable(SharedFile file) throws IOException {
        return FileChannel.open(
                Path.of("/proc/self/fd", Integer.toString(file.fd().number())), StandardOpenOption.WRITE);
    }
}
