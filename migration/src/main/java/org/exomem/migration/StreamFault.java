package org.exomem.migration;

import org.jspecify.annotations.Nullable;

/**
 * What came is not a stream that this end can go on with: damaged, hostile, of another version, or for another memory
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
