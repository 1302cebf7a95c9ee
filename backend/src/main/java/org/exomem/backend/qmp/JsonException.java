package org.exomem.backend.qmp;

import java.io.IOException;

/** A text is not JSON; the message says what is wrong, and where. */
public final class JsonException extends IOException {
    private static final long serialVersionUID = 1L;

    public JsonException(String message) {
        super(message);
    }
}
