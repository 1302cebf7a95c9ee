package org.exomem.migration;

/**
 * The source said GO, and the destination answered that it could not start the guest and will not: the guest is the source's again
 * (STR-END-3). After GO nothing else is a reason for the source to let its guest go on (STR-END-4).
 */
public final class GuestGivenBackException extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    /** @param cause what the destination said */
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
