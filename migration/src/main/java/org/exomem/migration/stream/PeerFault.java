package org.exomem.migration.stream;

import java.io.IOException;

/** The other end gave up; the message says why, in its words. */
public final class PeerFault extends IOException {
    private static final long serialVersionUID = 1L;

    public PeerFault(String message) {
        super(message);
    }
}
