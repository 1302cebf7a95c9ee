package org.exomem.migration;

/** The destination failed. The connection works, and connecting again does not help. */
public final class DestinationFault extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    /** @param what the failed step; the cause's message is appended */
    public DestinationFault(String what, Throwable cause) {
        super(what + ": " + text(cause), cause);
    }

    private DestinationFault(DestinationFault same) {
        super(text(same), same);
    }

    @Override
    public boolean isFinal() {
        return true;
    }

    @Override
    public DestinationFault again() {
        return new DestinationFault(this);
    }
}
