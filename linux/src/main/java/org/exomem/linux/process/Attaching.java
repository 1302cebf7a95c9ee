package org.exomem.linux.process;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

/** The common part of all operations that attach to another process. x86-64 only. Safe for use by several threads. */
final class Attaching {
    private static final String ARCHITECTURE = "amd64";
    /** The number of attempts if the thread is busy. */
    private static final int TRIES = 20;

    private static final long BETWEEN_NANOS = 5_000_000;

    /**
     * One thread of this process at a time, because another one would find the process traced. Indexed by process id;
     * several ids share a lock.
     */
    private static final List<Lock> TURNS =
            Stream.generate(() -> (Lock) new ReentrantLock()).limit(64).toList();

    private Attaching() {}

    @FunctionalInterface
    interface Attempt<T> {
        T make() throws IOException;
    }

    /**
     * Runs an attempt while the main thread of a process is stopped, and repeats it if that thread is busy. Waits for other
     * threads of this process that are attached to the same process.
     *
     * @throws IOException if it can't be attached to, or the attempt fails
     */
    static <T> T to(ProcessFd process, Attempt<T> attempt) throws IOException {
        String architecture = System.getProperty("os.arch", "");
        if (!architecture.equals(ARCHITECTURE)) {
            throw new IOException("attaching to a process works on x86-64 only, and this is " + architecture);
        }
        Lock turn = TURNS.get(process.pid() % TURNS.size());
        turn.lock();
        try {
            return alone(process, attempt);
        } finally {
            turn.unlock();
        }
    }

    private static <T> T alone(ProcessFd process, Attempt<T> attempt) throws IOException {
        int tracer = process.status().tracer();
        if (tracer != 0) {
            throw new IOException(process + " is already traced by process " + tracer + " (a debugger?)");
        }
        // All calls must come from one thread; its end undoes what has failed.
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread.ofPlatform().name("attach-" + process.pid()).daemon().start(() -> {
            try {
                Rehearsal.once();
                result.complete(repeated(attempt));
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        try {
            return result.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException failed) {
                throw new IOException(failed.getMessage(), failed);
            }
            throw new CompletionException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while attaching to " + process, e);
        }
    }

    private static <T> T repeated(Attempt<T> attempt) throws IOException {
        for (int i = 1; ; i++) {
            try {
                return attempt.make();
            } catch (BorrowedThread.BusyException e) {
                if (i == TRIES) {
                    throw e;
                }
            }
            LockSupport.parkNanos(BETWEEN_NANOS);
        }
    }
}
