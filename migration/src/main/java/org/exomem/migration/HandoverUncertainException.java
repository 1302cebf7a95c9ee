package org.exomem.migration;

/**
 * The source sent GO, and it is unknown whether the guest runs at the destination: the connection broke before an answer
 * arrived, or the destination does not know it itself. The source's guest must not be resumed before an operator has checked
 * the destination (STR-END-4).
 */
public final class HandoverUncertainException extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public HandoverUncertainException(String message, Throwable cause) {
        super(message, cause);
    }

    @Override
    public boolean isFinal() {
        return true;
    }

    @Override
    public HandoverUncertainException again() {
        return new HandoverUncertainException(text(this), this);
    }
}
