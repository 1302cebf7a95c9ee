package org.exomem.conformance.frontend;

/** The back-end sent something that is not a valid answer to the request. */
public final class WrongAnswerException extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    public WrongAnswerException(String message) {
        super(message);
    }
}
