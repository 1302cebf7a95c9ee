package org.exomem.backend.command;

/** A command can't go on: one line for the user, and an exit code. */
final class CommandFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int exitCode;

    CommandFailure(int exitCode, String message) {
        super(message);
        this.exitCode = exitCode;
    }

    CommandFailure(int exitCode, Exception cause) {
        this(exitCode, String.valueOf(cause.getMessage()));
        initCause(cause);
    }

    int exitCode() {
        return exitCode;
    }
}
