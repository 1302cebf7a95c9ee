package org.exomem.migration;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The connection to the destination broke, and neither end has decided anything by that: who connects again may go on. Of what
 * was sent since the last barrier the destination may have all, nothing, or anything between.
 */
public final class ConnectionLostException extends IOException {
    private static final long serialVersionUID = 1L;

    public ConnectionLostException(String message, @Nullable Exception cause) {
        super(message, cause);
    }
}
