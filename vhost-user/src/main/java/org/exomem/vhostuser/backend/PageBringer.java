package org.exomem.vhostuser.backend;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/**
 * The one thread of a session that waits for pages of guest memory: the event loop asks here and goes on (VHU-PST-1). It waits in a system
 * call, for one page at a time, in the order in which they were asked for. So many requests can wait as there are pages asked for in
 * regions that are shared, of which a queue has a few at most.
 *
 * <p>Made, asked and closed on the event loop.
 */
final class PageBringer implements AutoCloseable {
    private static final long STACK_BYTES = 256 * 1024;

    /** Is told on the event loop what became of a request. */
    interface Outcome {
        /** The pages are here, or, with false, their region was closed before. */
        void over(boolean came);

        /** They can't be had. */
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
     * @throws LinuxException EAGAIN if the host has no room for it
     */
    PageBringer(EventLoop loop) throws LinuxException {
        this.loop = loop;
        Thread thread = new Thread(null, this::run, "exomem-late-pages", STACK_BYTES);
        // It may wait for a page that nobody ever gives; the process must be able to end all the same.
        thread.setDaemon(true);
        try {
            thread.start();
        } catch (OutOfMemoryError e) {
            // The JVM's word for that there are too many threads.
            throw new LinuxException("pthread_create", "the thread that waits for pages", Errno.EAGAIN);
        }
    }

    /**
     * Has pages come.
     *
     * @param offset in the mapping, bytes
     */
    void bring(SharedMapping mapping, long offset, long bytes, Outcome outcome) {
        mapping.use();
        tasks.add(new Task.Bring(mapping, offset, bytes, outcome));
    }

    /**
     * Ends a mapping and gives it back: at once, or where this thread waits in it, as soon as it has been woken. What was asked for in it
     * and has not begun is over, whatever this thread waits for before it.
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

    /** Ends the thread soon, if all mappings were ended before. Waits for nothing. */
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
            // Nobody has this thread to interrupt it.
            return null;
        }
    }

    private void bring(Task.Bring request) {
        try {
            over(request, request.mapping().bring(request.offset(), request.bytes()));
        } catch (LinuxException e) {
            request.mapping().leave();
            // As where the loop itself finds the file cut short (VHU-MEM-10).
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
            // The VM is gone, and with it whoever asked.
        }
    }
}
