package org.exomem.backend.command;

import org.exomem.cli.options.ExitCode;

/**
 * Ends the process cleanly, and with exit code 0, when SIGTERM or SIGINT arrives. The JVM runs shutdown hooks then and
 * would end with 128 + signal; a supervisor that sent SIGTERM itself would take that for a failure.
 */
final class EndOnSignal extends Thread implements AutoCloseable {
    private final Runnable end;

    private EndOnSignal(Runnable end) {
        super("end-on-signal");
        this.end = end;
    }

    /** @param end what is still to be done; on another thread than the command's own */
    static EndOnSignal after(Runnable end) {
        EndOnSignal hook = new EndOnSignal(end);
        Runtime.getRuntime().addShutdownHook(hook);
        return hook;
    }

    /** The process ends in another way. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(this);
        } catch (IllegalStateException e) {
            // The signal came first: the hook is running, and ends the process.
        }
    }

    @Override
    public void run() {
        end.run();
        Runtime.getRuntime().halt(ExitCode.OK);
    }
}
