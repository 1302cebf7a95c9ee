package org.exomem.conform.trial;

/** The back-end does not meet the requirement. The message says what was expected and what came instead. */
public final class Unmet extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Unmet(String message) {
        super(message);
    }
}
