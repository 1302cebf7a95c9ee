package org.exomem.migration;

/**
 * The source sent GO, and the destination answered that it could not start the guest and will not: the source has the guest
 * again (STR-END-3). After GO the source must not resume its guest for any other reason (STR-END-4).
 */
public final class GuestGivenBackException extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    /** @param cause the destination's message */
    public GuestGivenBackException(PeerFault cause) {
        this(text(cause), cause);
    }

    private GuestGivenBackException(String message, Throwable cause) {
        super(message, cause);
    }

    @Override
    public boolean isFinal() {
        return true;
    }

    @Override
    public GuestGivenBackException again() {
        return new GuestGivenBackException(text(this), this);
    }
}
