package org.exomem.migration;

import org.jspecify.annotations.Nullable;

/** The other end gave up. The message is the reason that it sent. */
public final class PeerFault extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public PeerFault(String message) {
        this(message, null);
    }

    private PeerFault(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    @Override
    public boolean isFinal() {
        return true;
    }

    @Override
    public PeerFault again() {
        return new PeerFault(text(this), this);
    }
}
