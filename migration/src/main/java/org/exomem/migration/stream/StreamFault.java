package org.exomem.migration.stream;

import java.io.IOException;

/** What came is not a stream that this end can go on with: damaged, hostile, of another version, or for another memory. */
public final class StreamFault extends IOException {
    private static final long serialVersionUID = 1L;

    public StreamFault(String message) {
        super(message);
    }

    public StreamFault(String message, Exception cause) {
        super(message, cause);
    }
}
