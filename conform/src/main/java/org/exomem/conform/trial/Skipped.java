package org.exomem.conform.trial;

/** The check can't run with this back-end, which does not offer what the check needs. */
public final class Skipped extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Skipped(String why) {
        super(why);
    }
}
