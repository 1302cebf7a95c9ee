package org.exomem.linux.process;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.LockSupport;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Userfaultfd;

/**
 * Has another process make a userfaultfd, and fetches it. The process's main thread stands still for that, about a millisecond; no
 * other thread does. Nothing of it stays in the process.
 */
public final class ForeignUserfaultfd {
    private static final String ARCHITECTURE = "amd64";
    private static final int CLOSE = 3;
    private static final Duration LIMIT = Duration.ofMillis(500);
    /** How often it is tried again where the thread was doing something just then. */
    private static final int TRIES = 20;

    private static final long BETWEEN_NANOS = 5_000_000;

    /**
     * What was fetched.
     *
     * @param fd the userfaultfd, of which no features were asked yet
     * @param stopped how long the main thread stood still
     */
    public record Fetched(Fd fd, Duration stopped) {}

    private ForeignUserfaultfd() {}

    /**
     * Waits for the process for half a second at most.
     *
     * @throws IOException if it could not be had, saying why; the process is as it was
     */
    public static Fetched fetch(ProcessFd process) throws IOException {
        return fetch(process, Tracing.REAL);
    }

    static Fetched fetch(ProcessFd process, Tracing tracing) throws IOException {
        String architecture = System.getProperty("os.arch", "");
        if (!architecture.equals(ARCHITECTURE)) {
            throw new IOException("attaching to a process works on x86-64 only, and this is " + architecture);
        }
        int tracer = process.status().tracer();
        if (tracer != 0) {
            throw new IOException(process + " is traced already, by process " + tracer + " (a debugger?)");
        }
        // All calls have to come from one thread, and its end undoes what fails.
        CompletableFuture<Fetched> result = new CompletableFuture<>();
        Thread.ofPlatform().name("attach-" + process.pid()).daemon().start(() -> {
            try {
                result.complete(fetchHere(process, tracing));
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

    private static Fetched fetchHere(ProcessFd process, Tracing tracing) throws IOException {
        for (int i = 1; ; i++) {
            try {
                return fetchOnce(process, tracing);
            } catch (BorrowedThread.BusyException e) {
                if (i == TRIES) {
                    throw e;
                }
            }
            LockSupport.parkNanos(BETWEEN_NANOS);
        }
    }

    private static Fetched fetchOnce(ProcessFd process, Tracing tracing) throws IOException {
        long start = System.nanoTime();
        Fd fd = null;
        try (BorrowedThread thread = BorrowedThread.stop(tracing, process.pid(), LIMIT)) {
            long number = make(thread);
            try {
                // Fails if the process has ended and its number is another's.
                fd = process.fetch((int) number);
            } finally {
                closeThere(thread, number);
            }
        } catch (IOException | RuntimeException e) {
            if (fd != null) {
                fd.close();
            }
            throw e;
        }
        return new Fetched(fd, Duration.ofNanos(System.nanoTime() - start));
    }

    /** Once more if it fails: the process must not keep a descriptor that is not its own. */
    private static void closeThere(BorrowedThread thread, long number) throws IOException {
        try {
            thread.call(CLOSE, number);
        } catch (IOException e) {
            thread.call(CLOSE, number);
        }
    }

    private static long make(BorrowedThread thread) throws IOException {
        long number = thread.call(Userfaultfd.SYSTEM_CALL, Userfaultfd.FLAGS);
        if (number == -Errno.EPERM) {
            number = thread.call(Userfaultfd.SYSTEM_CALL, Userfaultfd.FLAGS | Userfaultfd.USER_MODE_ONLY);
        }
        if (number < 0) {
            throw new LinuxException("userfaultfd", "the process attached to", (int) -number);
        }
        return number;
    }
}
