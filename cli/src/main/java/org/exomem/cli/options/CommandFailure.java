package org.exomem.cli.options;

import org.exomem.cli.text.FileFault;

/** A command can't go on: one line for the user, and an exit code. */
public final class CommandFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int exitCode;

    public CommandFailure(int exitCode, String message) {
        super(message);
        this.exitCode = exitCode;
    }

    /** @param cause whose message is the line, or of a fault of a file the file and the reason */
    public CommandFailure(int exitCode, Exception cause) {
        this(exitCode, FileFault.text(cause));
        initCause(cause);
    }

    public int exitCode() {
        return exitCode;
    }
}
