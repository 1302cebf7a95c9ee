package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A connection for bytes in both directions, encrypted or not. One thread at a time may write, and one may read. Any thread
 * may call {@link #close}, which ends the waits of the others.
 */
public interface Wire extends AutoCloseable {
    /**
     * Sends all remaining bytes of the buffers, in order. Waits while the peer does not take them.
     *
     * @throws IOException if the connection is lost
     */
    void write(ByteBuffer[] sources) throws IOException;

    /**
     * Waits for bytes, and reads as many as are there and fit.
     *
     * @return their number, at least 1; or -1 at the end of the stream
     * @throws IOException if the connection is lost
     */
    int read(ByteBuffer into) throws IOException;

    /** Tells the peer that nothing more will be sent. Reading is still possible. */
    void finishWriting() throws IOException;

    /** The other end: its proven name if there is one, otherwise its address. */
    String peer();

    /** Ends the connection at once; bytes that were not sent are lost. Never throws. */
    @Override
    void close();
}
