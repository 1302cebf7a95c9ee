package org.exomem.migration.stream;

import java.io.IOException;

/**
 * The source let go, and nobody knows whether the guest runs at the destination: the connection broke before that was said,
 * or the destination does not know itself. The source's guest must not go on before somebody has looked.
 */
public final class HandoverUncertainException extends IOException {
    private static final long serialVersionUID = 1L;

    public HandoverUncertainException(String message, Throwable cause) {
        super(message, cause);
    }
}
