package org.exomem.backend.qmp;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** What listens on a socket does not speak QMP. */
public final class NoQmpException extends IOException {
    private static final long serialVersionUID = 1L;

    NoQmpException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
