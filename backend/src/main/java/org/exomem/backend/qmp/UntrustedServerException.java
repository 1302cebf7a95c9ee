package org.exomem.backend.qmp;

import java.io.IOException;

/** The process that listens on a socket is not trusted with commands. */
public final class UntrustedServerException extends IOException {
    private static final long serialVersionUID = 1L;

    UntrustedServerException(String message) {
        super(message);
    }
}
