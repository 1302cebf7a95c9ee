package org.exomem.migration;

import java.util.ArrayList;
import java.util.List;

/**
 * Cancels a migration at the source. It ends in one of two states: it is cancelled, or it can't be cancelled any more
 * because the guest is handed over ({@link #close}). Safe for use by several threads.
 *
 * <pre>
 * open ── cancel ──► cancelled
 *   └──── close ───► closed
 * </pre>
 */
public final class CancelToken {
    private enum State {
        OPEN,
        CANCELLED,
        CLOSED
    }

    private final List<Runnable> tasks = new ArrayList<>();
    private State state = State.OPEN;

    /**
     * Cancels, and runs the registered tasks on this thread. No task may wait.
     *
     * @return false if it was closed before, so that nothing happens; true also if it was cancelled before
     */
    public boolean cancel() {
        List<Runnable> now;
        synchronized (this) {
            if (state != State.OPEN) {
                return state == State.CANCELLED;
            }
            state = State.CANCELLED;
            now = List.copyOf(tasks);
            tasks.clear();
        }
        now.forEach(Runnable::run);
        return true;
    }

    /**
     * Makes a later {@link #cancel} ineffective.
     *
     * @throws MigrationCancelledException if it was cancelled before
     */
    public synchronized void close() throws MigrationCancelledException {
        check();
        state = State.CLOSED;
        tasks.clear();
    }

    /** True if it was cancelled. */
    public synchronized boolean isCancelled() {
        return state == State.CANCELLED;
    }

    /**
     * Does nothing unless it was cancelled.
     *
     * @throws MigrationCancelledException if it was
     */
    public void check() throws MigrationCancelledException {
        if (isCancelled()) {
            throw new MigrationCancelledException();
        }
    }

    /** Registers a task that runs when this is cancelled. If it was cancelled already, runs the task now, on this thread. */
    public void onCancel(Runnable task) {
        synchronized (this) {
            if (state == State.CLOSED) {
                return;
            }
            if (state == State.OPEN) {
                tasks.add(task);
                return;
            }
        }
        task.run();
    }
}
