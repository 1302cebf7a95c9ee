package org.exomem.migration;

/**
 * The source said GO, and it is not known whether the guest runs at the destination: the connection broke before an answer
 * came, or the destination does not know itself. The source's guest must not go on before an operator has looked (STR-END-4).
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
