package org.exomem.migration.stream.source;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.ChunkWriter;

/** A device's state as it is sent: opened, in pieces, closed. */
final class StateStream extends OutputStream {
    private final SourceLink link;
    private final int number;
    private long offset;
    private boolean closed;

    StateStream(SourceLink link, int number, String name) throws IOException {
        byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
        if (utf8.length == 0 || utf8.length > ChunkType.Limits.NAME) {
            throw new IllegalArgumentException("a device's name has 1 to " + ChunkType.Limits.NAME + " bytes: " + name);
        }
        this.link = link;
        this.number = number;
        link.say(writer -> writer.chunk(ChunkType.STATE_OPEN, number, 0, ByteBuffer.wrap(utf8)));
    }

    @Override
    public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int length) throws IOException {
        for (int at = 0; at < length; at += ChunkType.Limits.CONTROL) {
            ByteBuffer piece = ByteBuffer.wrap(bytes, from + at, Math.min(length - at, ChunkType.Limits.CONTROL));
            int size = piece.remaining();
            link.say(writer -> writer.chunk(ChunkType.STATE, number, offset, piece));
            offset += size;
        }
    }

    @Override
    public void flush() throws IOException {
        link.say(ChunkWriter::flush);
    }

    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            link.say(writer -> writer.chunk(ChunkType.STATE_CLOSE, number, offset));
        }
    }
}
