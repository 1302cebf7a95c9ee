package org.exomem.cli.options;

/** A command line is invalid; nothing was done. The message is for the user. */
public final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    public UsageException(String message) {
        super(message);
    }
}
