package org.exomem.conformance.frontend;

/** What came from the back-end is no answer to what it was given. */
public final class WrongAnswerException extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    public WrongAnswerException(String message) {
        super(message);
    }
}
