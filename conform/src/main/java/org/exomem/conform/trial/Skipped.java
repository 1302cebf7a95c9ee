package org.exomem.conform.trial;

/** The check can't be made with this back-end: it does not offer what the check needs. */
public final class Skipped extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Skipped(String why) {
        super(why);
    }
}
