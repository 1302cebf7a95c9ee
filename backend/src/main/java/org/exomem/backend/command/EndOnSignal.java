package org.exomem.backend.command;

import org.exomem.backend.BackendProcess;

/**
 * Ends the process cleanly, and with exit code 0, when SIGTERM or SIGINT arrives. The JVM runs shutdown hooks then and
 * would end with 128 + signal; a supervisor that sent SIGTERM itself would take that for a failure.
 */
final class EndOnSignal extends Thread implements AutoCloseable {
    private final BackendProcess process;

    private EndOnSignal(BackendProcess process) {
        super("end-on-signal");
        this.process = process;
    }

    static EndOnSignal of(BackendProcess process) {
        EndOnSignal hook = new EndOnSignal(process);
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
        process.close();
        Runtime.getRuntime().halt(ExitCode.OK);
    }
}
