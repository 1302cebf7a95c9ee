package org.exomem.demo;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.LockSupport;
import org.exomem.conformance.guest.MemoryFolder;
import org.jspecify.annotations.Nullable;

/**
 * The processes that the demo has started, and its folders. If the demo fails or is interrupted, guests and their
 * memory must not remain. The last started is closed first.
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

    /** Starts something that is closed at the end. An interrupt during the start waits, so that it closes this too. */
    synchronized <T extends AutoCloseable> T add(Starter<T> starter) throws IOException {
        if (ended) {
            throw new DemoFailure("it was interrupted");
        }
        T started = starter.start();
        all.push(started);
        return started;
    }

    /** Creates a folder that is deleted at the end, with all its content. */
    Path folder(Path where) throws IOException {
        return add(() -> MemoryFolder.make(where)).path();
    }

    /** True if the demo ends because of an interrupt. */
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
     * Closes everything.
     *
     * @throws IOException if something did not close properly; everything else is closed
     */
    @Override
    public void close() throws IOException {
        try {
            Runtime.getRuntime().removeShutdownHook(atInterrupt);
        } catch (IllegalStateException e) {
            // The JVM ends: the shutdown hook closes everything.
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
