package org.exomem.migration;

import org.jspecify.annotations.Nullable;

/**
 * The connection between the two ends broke, and neither end has decided the migration: a source that connects again may go
 * on. Of what was sent since the last barrier, the destination may have everything, nothing, or a part.
 */
public final class ConnectionLostException extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public ConnectionLostException(String message, @Nullable Exception cause) {
        super(message, cause);
    }

    @Override
    public boolean isFinal() {
        return false;
    }

    @Override
    public ConnectionLostException again() {
        return new ConnectionLostException(text(this), this);
    }
}
