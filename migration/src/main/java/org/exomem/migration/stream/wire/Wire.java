package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A connection that carries bytes both ways, encrypted or not. One thread at a time writes and one reads, which may be two;
 * {@link #close} may come from any thread and ends what the others wait for.
 */
public interface Wire extends AutoCloseable {
    /** Sends all that remains in the buffers, in their order; waits while the peer does not take it. */
    void write(ByteBuffer[] sources) throws IOException;

    /**
     * Waits for bytes and takes what there is room for.
     *
     * @return how many, at least 1; or -1 at the end of the stream
     */
    int read(ByteBuffer into) throws IOException;

    /** Tells the peer that nothing more will come; reading goes on. */
    void finishWriting() throws IOException;

    /** Who the other end is, as far as it is known: the name that it proved, else its address. */
    String peer();

    /** Ends the connection, at once: what was not sent is lost. Never throws. */
    @Override
    void close();
}
