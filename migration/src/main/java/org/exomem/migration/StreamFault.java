package org.exomem.migration;

import org.jspecify.annotations.Nullable;

/**
 * This end can't continue with the received stream: it is damaged, hostile, of another version, or for other memory
 * (STR-ERR-2).
 */
public final class StreamFault extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public StreamFault(String message) {
        this(message, null);
    }

    public StreamFault(String message, @Nullable Exception cause) {
        super(message, cause);
    }

    @Override
    public boolean isFinal() {
        return true;
    }

    @Override
    public StreamFault again() {
        return new StreamFault(text(this), this);
    }
}
