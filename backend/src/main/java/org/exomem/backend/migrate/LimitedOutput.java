package org.exomem.backend.migrate;

import java.io.IOException;
import java.io.OutputStream;

/** Accepts a limited number of bytes, and fails after that: the source decides how many it sends. */
final class LimitedOutput extends OutputStream {
    private final OutputStream to;
    private long left;

    LimitedOutput(OutputStream to, long most) {
        this.to = to;
        this.left = most;
    }

    @Override
    public void write(int b) throws IOException {
        take(1);
        to.write(b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        take(length);
        to.write(bytes, offset, length);
    }

    private void take(int length) throws IOException {
        left -= length;
        if (left < 0) {
            throw new IOException("the received state is larger than the limit");
        }
    }

    @Override
    public void close() throws IOException {
        to.close();
    }
}
