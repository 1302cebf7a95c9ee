package org.exomem.backend.command;

import java.util.concurrent.locks.LockSupport;

/**
 * Runs a task at Ctrl-C, and at SIGTERM, while a command waits. After it the JVM ends with 128 + signal, as usual: 130 at
 * Ctrl-C.
 */
final class InterruptTask extends Thread implements AutoCloseable {
    private InterruptTask(Runnable task) {
        super(task, "interrupt-task");
    }

    /**
     * @param task runs on another thread than the command's own, which goes on meanwhile; the process ends when it returns
     */
    static InterruptTask of(Runnable task) {
        InterruptTask hook = new InterruptTask(task);
        Runtime.getRuntime().addShutdownHook(hook);
        return hook;
    }

    /** Prints what goes on without the command, and how to end it. */
    static InterruptTask note(Output output, String text) {
        return of(() -> output.note(text));
    }

    /**
     * For a command that ends in another way. Does not return if the signal came first: the process ends when the task is
     * done.
     */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(this);
        } catch (IllegalStateException e) {
            awaitEndOfProcess();
        }
    }

    /** Blocks this thread: if it went on, it would end the process with another exit code, or before the task is done. */
    private static void awaitEndOfProcess() {
        while (true) {
            LockSupport.park();
        }
    }
}
