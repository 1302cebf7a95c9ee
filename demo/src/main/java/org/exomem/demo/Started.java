package org.exomem.demo;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.LockSupport;
import org.exomem.conformance.guest.MemoryFolder;
import org.jspecify.annotations.Nullable;

/**
 * The processes that the demo started, and its folders: who fails, or is interrupted, should not be left with guests, nor
 * with their memory. The last goes first.
 */
final class Started implements AutoCloseable {
    private final Deque<AutoCloseable> all = new ArrayDeque<>();
    private final Thread atInterrupt = new Thread(this::interrupt, "end-demo");
    private volatile boolean interrupted;
    private boolean ended;

    /** Starts something. */
    interface Starter<T extends AutoCloseable> {
        T start() throws IOException;
    }

    Started() {
        Runtime.getRuntime().addShutdownHook(atInterrupt);
    }

    /** Starts something that is closed at the end. What starts meanwhile is seen by an interrupt: it waits. */
    synchronized <T extends AutoCloseable> T add(Starter<T> starter) throws IOException {
        if (ended) {
            throw new DemoFailure("it was interrupted");
        }
        T started = starter.start();
        all.push(started);
        return started;
    }

    /** Makes a folder that is deleted at the end, with all that is in it. */
    Path folder(Path where) throws IOException {
        return add(() -> MemoryFolder.make(where)).path();
    }

    /** The demo ends because somebody wants it to. */
    boolean isInterrupted() {
        return interrupted;
    }

    /** Whoever is interrupted fails. It says nothing of that: the JVM ends with 128 + signal when everything has ended. */
    static void awaitEndOfProcess() {
        while (true) {
            LockSupport.park();
        }
    }

    private void interrupt() {
        interrupted = true;
        endAll();
    }

    /**
     * Ends everything.
     *
     * @throws IOException if something did not end as it should; all else has ended
     */
    @Override
    public void close() throws IOException {
        try {
            Runtime.getRuntime().removeShutdownHook(atInterrupt);
        } catch (IllegalStateException e) {
            // The JVM ends: so does everything, there.
            return;
        }
        IOException failure = endAll();
        if (failure != null) {
            throw failure;
        }
    }

    private synchronized @Nullable IOException endAll() {
        ended = true;
        IOException failure = null;
        for (AutoCloseable each = all.poll(); each != null; each = all.poll()) {
            try {
                each.close();
            } catch (Exception e) {
                failure = e instanceof IOException io ? io : new IOException(e);
            }
        }
        return failure;
    }
}
