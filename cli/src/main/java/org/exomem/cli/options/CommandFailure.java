package org.exomem.cli.options;

/** A command failed: one line for the user, and an exit code. */
public final class CommandFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int exitCode;

    public CommandFailure(int exitCode, String message) {
        super(message);
        this.exitCode = exitCode;
    }

    public CommandFailure(int exitCode, Exception cause) {
        this(exitCode, String.valueOf(cause.getMessage()));
        initCause(cause);
    }

    public int exitCode() {
        return exitCode;
    }
}
