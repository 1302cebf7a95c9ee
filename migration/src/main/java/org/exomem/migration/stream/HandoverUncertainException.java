package org.exomem.migration.stream;

import java.io.IOException;

/**
 * The source let go, and the connection broke before the destination said that it runs. It may run or not: the source's
 * guest must not go on before somebody knows.
 */
public final class HandoverUncertainException extends IOException {
    private static final long serialVersionUID = 1L;

    public HandoverUncertainException(String message, Exception cause) {
        super(message, cause);
    }
}
