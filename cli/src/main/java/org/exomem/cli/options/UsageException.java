package org.exomem.cli.options;

/** A command line was not understood; nothing was done. The message is for its author. */
public final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    public UsageException(String message) {
        super(message);
    }
}
