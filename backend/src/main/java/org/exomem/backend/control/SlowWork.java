package org.exomem.backend.control;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.exomem.backend.qmp.QmpException;
import org.exomem.cli.text.FileFault;

/**
 * Executes the slow parts of commands: reading files, resolving names. If a file system hangs, or a name server does not
 * answer, then only the client that asked gets an error after a while (CTL-4). There are few threads, all of them daemons,
 * so that a hanging task stops neither other tasks nor the end of the process.
 */
final class SlowWork {
    private static final int THREADS = 4;
    /** The most commands that wait for a thread. */
    private static final int WAITING = 64;

    private static final Duration IDLE = Duration.ofSeconds(10);
    /** A slow network or disk that still works needs less. */
    private static final Duration LIMIT = Duration.ofSeconds(8);

    private final ThreadPoolExecutor threads;
    private final Duration limit;

    SlowWork() {
        this(LIMIT);
    }

    SlowWork(Duration limit) {
        this.limit = limit;
        threads = new ThreadPoolExecutor(
                THREADS,
                THREADS,
                IDLE.toMillis(),
                TimeUnit.MILLISECONDS,
                new ArrayBlockingQueue<>(WAITING),
                task -> Thread.ofPlatform().daemon().name("control-work").unstarted(task));
        threads.allowCoreThreadTimeOut(true);
    }

    /** A task that may take long. */
    @FunctionalInterface
    interface Task<T> {
        T run() throws IOException;
    }

    /**
     * Executes a task on another thread. The task must have no effect before it is done. A result after 8 s is dropped.
     *
     * @param what the task, for people: "read keys and certificates"
     * @return fails with {@link QmpException} if the task fails or takes too long; completes on any thread
     */
    <T> CompletableFuture<T> run(String what, Task<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        try {
            threads.execute(() -> {
                if (!result.isDone()) {
                    complete(result, task);
                }
            });
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(QmpException.generic(
                    "can't " + what + ": too many commands already wait for files or for name resolution"));
        }
        return result.orTimeout(limit.toNanos(), TimeUnit.NANOSECONDS)
                .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                        failure instanceof TimeoutException
                                ? QmpException.generic(
                                        "can't " + what + ": the file system or the name server did not respond within "
                                                + limit.toSeconds() + " s")
                                : failure));
    }

    private static <T> void complete(CompletableFuture<T> result, Task<T> task) {
        try {
            result.complete(task.run());
        } catch (IOException e) {
            QmpException refusal = QmpException.generic(FileFault.text(e));
            refusal.initCause(e);
            result.completeExceptionally(refusal);
        } catch (Throwable e) {
            // Errors too: without an answer the client would wait for the limit.
            result.completeExceptionally(e);
        }
    }

    /** Accepts no more tasks. Does not wait. */
    void close() {
        threads.shutdownNow();
    }
}
