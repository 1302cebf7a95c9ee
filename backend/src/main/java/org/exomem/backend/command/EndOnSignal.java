package org.exomem.backend.command;

import org.exomem.cli.options.ExitCode;

/**
 * Ends the process in good order, with exit code 0, at SIGTERM or SIGINT. Otherwise the JVM would end with 128 + signal
 * after its shutdown hooks, and a supervisor that sent SIGTERM would regard that as a failure.
 */
final class EndOnSignal extends Thread implements AutoCloseable {
    private final Runnable end;

    private EndOnSignal(Runnable end) {
        super("end-on-signal");
        this.end = end;
    }

    /** @param end the rest of the work; on another thread than the command's own */
    static EndOnSignal after(Runnable end) {
        EndOnSignal hook = new EndOnSignal(end);
        Runtime.getRuntime().addShutdownHook(hook);
        return hook;
    }

    /** For a process that ends in another way. */
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
