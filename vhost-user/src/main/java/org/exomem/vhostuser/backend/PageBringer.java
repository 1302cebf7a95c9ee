package org.exomem.vhostuser.backend;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/**
 * The one thread of a session that waits for pages of guest memory, so that the event loop does not (VHU-PST-1). It waits in
 * a system call, for one page at a time, in the order of the requests. The number of waiting requests is limited by the
 * pages that are requested in shared regions; a queue requests a few at most.
 *
 * <p>Used on the event loop.
 */
final class PageBringer implements AutoCloseable {
    private static final long STACK_BYTES = 256 * 1024;

    /** Notified on the event loop of the result of a request. */
    interface Outcome {
        /** The pages are present, or, with false, their region was closed before. */
        void over(boolean came);

        /** The pages are not available. */
        void failed(Throwable why);
    }

    private sealed interface Task {
        record Bring(SharedMapping mapping, long offset, long bytes, Outcome outcome) implements Task {}

        record Stop() implements Task {}
    }

    private final EventLoop loop;
    private final BlockingQueue<Task> tasks = new LinkedBlockingQueue<>();

    /**
     * Starts the thread.
     *
     * @throws LinuxException EAGAIN if the host can't start it
     */
    PageBringer(EventLoop loop) throws LinuxException {
        this.loop = loop;
        Thread thread = new Thread(null, this::run, "exomem-late-pages", STACK_BYTES);
        // It may wait for a page that never comes; the process must be able to end anyway.
        thread.setDaemon(true);
        try {
            thread.start();
        } catch (OutOfMemoryError e) {
            // The JVM throws this if there are too many threads.
            throw new LinuxException("pthread_create", "the thread that waits for pages", Errno.EAGAIN);
        }
    }

    /**
     * Requests pages.
     *
     * @param offset in the mapping, bytes
     */
    void bring(SharedMapping mapping, long offset, long bytes, Outcome outcome) {
        mapping.use();
        tasks.add(new Task.Bring(mapping, offset, bytes, outcome));
    }

    /**
     * Ends a mapping and unmaps it: at once, or, if this thread waits in it, as soon as it has woken up. Requests for it
     * that have not begun end, whatever this thread waits for.
     */
    void end(SharedMapping mapping) {
        mapping.end();
        tasks.removeIf(task -> {
            boolean isOver = task instanceof Task.Bring bring && bring.mapping() == mapping;
            if (isOver) {
                over((Task.Bring) task, false);
            }
            return isOver;
        });
        mapping.leave();
    }

    /** Ends the thread soon, if all mappings were ended before. Does not wait. */
    @Override
    public void close() {
        tasks.add(new Task.Stop());
    }

    private void run() {
        while (true) {
            switch (next()) {
                case Task.Bring bring -> bring(bring);
                case Task.Stop() -> {
                    return;
                }
                case null -> {}
            }
        }
    }

    private @Nullable Task next() {
        try {
            return tasks.take();
        } catch (InterruptedException e) {
            // No code interrupts this thread.
            return null;
        }
    }

    private void bring(Task.Bring request) {
        try {
            over(request, request.mapping().bring(request.offset(), request.bytes()));
        } catch (LinuxException e) {
            request.mapping().leave();
            // As if the loop itself found the file truncated (VHU-MEM-10).
            Throwable why = e.errno() == Errno.EFAULT ? new InternalError(e) : e;
            tell(() -> request.outcome().failed(why));
        }
    }

    private void over(Task.Bring request, boolean came) {
        request.mapping().leave();
        tell(() -> request.outcome().over(came));
    }

    private void tell(Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException e) {
            // The VM has gone, and with it the requester.
        }
    }
}
