package org.exomem.vhostuser.backend;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import org.exomem.linux.Errno;
import org.exomem.linux.LateMapping;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/**
 * The one thread of a session that waits for pages of guest memory: the event loop asks here and goes on (VHU-PST-1). It waits in a system
 * call, for one page at a time, in the order in which they were asked for. So many requests can wait as there are pages asked for, of which
 * a queue has a few at most.
 *
 * <p>Made, asked and closed on the event loop; it also gives back what only this thread knows to be unused.
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
        record Bring(LateMapping mapping, long offset, long bytes, Outcome outcome) implements Task {}

        /** Of what was ended: behind all requests for it. */
        record Release(LateMapping mapping) implements Task {}

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
    void bring(LateMapping mapping, long offset, long bytes, Outcome outcome) {
        tasks.add(new Task.Bring(mapping, offset, bytes, outcome));
    }

    /** Gives a mapping back that has been {@linkplain LateMapping#end ended}. */
    void release(LateMapping mapping) {
        tasks.add(new Task.Release(mapping));
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
                case Task.Release(LateMapping mapping) -> mapping.close();
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
        Outcome outcome = request.outcome();
        try {
            boolean came = request.mapping().bring(request.offset(), request.bytes());
            tell(() -> outcome.over(came));
        } catch (LinuxException e) {
            // As where the loop itself finds the file cut short (VHU-MEM-10).
            Throwable why = e.errno() == Errno.EFAULT ? new InternalError(e) : e;
            tell(() -> outcome.failed(why));
        }
    }

    private void tell(Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException e) {
            // The VM is gone, and with it whoever asked.
        }
    }
}
