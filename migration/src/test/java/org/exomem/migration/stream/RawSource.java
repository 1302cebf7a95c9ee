package org.exomem.migration.stream;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;
import org.exomem.migration.stream.wire.MigrationAddress;

/** A source that sends whatever a test wants, encoded from the specification and not by the code under test. */
public final class RawSource implements AutoCloseable {
    static final int MEMORY = 1;
    static final int ACCEPTED = 2;
    static final int PAGES = 3;
    static final int ZEROS = 4;
    static final int ROUND_END = 6;
    static final int END = 11;
    static final int GO = 13;
    static final int ALIVE = 15;
    static final int ERROR = 16;
    static final int HEARD = 18;

    final SocketChannel socket;
    int version = 1;
    int oldest = 1;
    int channels = 1;
    long offered;
    long required;
    byte[] id = "migration of raw".getBytes(StandardCharsets.US_ASCII);
    long sequence;
    /** The destination's preamble. */
    ByteBuffer answer = bytes(64);

    RawSource(MigrationAddress to) throws IOException {
        socket = SocketChannel.open(to.resolve());
    }

    record Chunk(int type, long first, long count, byte[] payload) {
        String text() {
            return new String(payload, StandardCharsets.UTF_8);
        }
    }

    static ByteBuffer bytes(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Sends and receives a preamble. */
    RawSource greet(int role, int channel) throws IOException {
        ByteBuffer preamble = bytes(64);
        preamble.put("exomemmg".getBytes(StandardCharsets.US_ASCII))
                .putShort((short) version)
                .putShort((short) oldest)
                .putShort((short) role)
                .putShort((short) channel)
                .putLong(offered)
                .putLong(required)
                .put(id)
                .putLong(77)
                .putInt(channels);
        preamble.putInt(crc(preamble.array(), 60));
        send(preamble.array());
        answer = read(64);
        sequence = answer.getLong(48);
        return this;
    }

    void send(byte[] raw) throws IOException {
        ByteBuffer all = ByteBuffer.wrap(raw);
        while (all.hasRemaining()) {
            socket.write(all);
        }
    }

    private static int crc(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }

    /** The bytes of the next chunk. */
    byte[] chunk(int type, long first, long count, byte[] payload) {
        return chunk(type, 0, payload.length, sequence++, first, count, payload);
    }

    public static byte[] chunk(int type, int flags, int length, long sequence, long first, long count, byte[] payload) {
        ByteBuffer chunk = bytes(40 + payload.length);
        chunk.put((byte) type)
                .put((byte) flags)
                .putShort((short) 0)
                .putInt(length)
                .putLong(sequence)
                .putLong(first)
                .putLong(count)
                .putInt(crc(payload, payload.length));
        chunk.putInt(crc(chunk.array(), 36)).put(payload);
        return chunk.array();
    }

    void say(int type, long first, long count, byte[] payload) throws IOException {
        send(chunk(type, first, count, payload));
    }

    /** Describes a memory of one file. */
    static byte[] memory(int pageSize, long size) {
        ByteBuffer memory = bytes(8 + 17 + 6);
        memory.putInt(pageSize).putInt(1);
        memory.putLong(size).putLong(4096).put((byte) 6).put("pc.ram".getBytes(StandardCharsets.US_ASCII));
        return memory.array();
    }

    /** Waits for the next chunk that is not ALIVE. */
    Chunk hear() throws IOException {
        Chunk heard = hearAny();
        while (heard.type == ALIVE) {
            heard = hearAny();
        }
        return heard;
    }

    /** Waits for the next chunk. */
    Chunk hearAny() throws IOException {
        ByteBuffer header = read(40);
        byte[] payload = read(header.getInt(4)).array();
        return new Chunk(header.get(0), header.getLong(16), header.getLong(24), payload);
    }

    private ByteBuffer read(int size) throws IOException {
        ByteBuffer into = bytes(size);
        while (into.hasRemaining()) {
            if (socket.read(into) < 0) {
                throw new EOFException("the destination hung up");
            }
        }
        return into.flip();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
