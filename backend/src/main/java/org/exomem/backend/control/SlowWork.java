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
 * Where commands do what may take long: read files, resolve names. A file system that hangs, or a name server that does not
 * answer, then costs the client that asked an error after a while, and nobody else anything (CTL-4). There are few threads, all
 * of them daemons: what hangs keeps neither others of them alive, nor the process.
 */
final class SlowWork {
    private static final int THREADS = 4;
    /** As many commands wait for a thread at most. */
    private static final int WAITING = 64;

    private static final Duration IDLE = Duration.ofSeconds(10);
    /** What the network or a disk may take when it is slow, and still works. */
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

    /** Something that may take long. */
    @FunctionalInterface
    interface Task<T> {
        T run() throws IOException;
    }

    /**
     * Does something that has no effect until it is done, elsewhere. What comes too late is dropped.
     *
     * @param what is done, for people: "read keys and certificates"
     * @return fails with {@link QmpException} if it fails, or takes too long; completes on any thread
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
            return CompletableFuture.failedFuture(
                    QmpException.generic("can't " + what + ": too many commands wait for files or names already"));
        }
        return result.orTimeout(limit.toNanos(), TimeUnit.NANOSECONDS)
                .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                        failure instanceof TimeoutException
                                ? QmpException.generic("can't " + what + ": no answer in " + limit.toSeconds()
                                        + " s from the file system or the name server")
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
            // Also what is no fault of the command: without an answer its client would wait for the limit.
            result.completeExceptionally(e);
        }
    }

    /** Takes no more; waits for nothing. */
    void close() {
        threads.shutdownNow();
    }
}
