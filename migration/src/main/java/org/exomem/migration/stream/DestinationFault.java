package org.exomem.migration.stream;

import java.io.IOException;

/** The destination could not do its part: not the connection's fault, and coming back does not help. */
final class DestinationFault extends IOException {
    private static final long serialVersionUID = 1L;

    DestinationFault(String what, Throwable cause) {
        super(what + ": " + (cause.getMessage() == null ? cause : cause.getMessage()), cause);
    }
}
