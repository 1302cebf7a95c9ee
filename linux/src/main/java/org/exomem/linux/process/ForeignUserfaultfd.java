package org.exomem.linux.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Userfaultfd;

/**
 * Makes a userfaultfd in another process, and fetches it. The process's main thread is stopped for that for about a
 * millisecond, no other thread. Nothing of it stays in the process, unless that is requested.
 */
public final class ForeignUserfaultfd {
    private static final int CLOSE = 3;
    private static final Duration LIMIT = Duration.ofMillis(500);

    /** The kernel's name of a userfaultfd among the open files. */
    private static final String NAME = "anon_inode:[userfaultfd]";

    /**
     * A userfaultfd that was fetched.
     *
     * @param fd no features were requested of it yet
     * @param stopped how long the main thread was stopped
     */
    public record Fetched(Fd fd, Duration stopped) {}

    /**
     * A userfaultfd that stays open in the process.
     *
     * @param fd another descriptor of it, in this process
     * @param number of the descriptor in the process
     */
    public record Left(Fd fd, int number) {}

    private ForeignUserfaultfd() {}

    /**
     * Makes and fetches a userfaultfd. Waits at most half a second for the process.
     *
     * @throws IOException if that fails, with the reason; the process is as before
     */
    public static Fetched fetch(ProcessFd process) throws IOException {
        return fetch(process, Tracing.REAL);
    }

    /**
     * Makes and fetches a userfaultfd that also reports faults of system calls, and leaves it open in the process: if this
     * process ends, threads that wait there go on waiting, and {@link #left} finds it. No features were requested of it yet.
     *
     * @throws IOException if that fails, with the reason; the process is as before
     */
    public static Left leave(ProcessFd process) throws IOException {
        return Attaching.to(process, () -> leaveOnce(process));
    }

    /**
     * Fetches all userfaultfds that are open in the process, no matter who made them.
     *
     * @throws IOException if the process has ended, or may not be examined
     */
    public static List<Left> left(ProcessFd process) throws IOException {
        return fetchLeft(process, number -> true);
    }

    /**
     * Fetches the userfaultfds that are open in the process and have agreed on exactly these features.
     *
     * @throws IOException if the process has ended, or may not be examined
     */
    public static List<Left> left(ProcessFd process, Set<Userfaultfd.Feature> features) throws IOException {
        return fetchLeft(process, number -> {
            Path path = Path.of("/proc", Integer.toString(process.pid()), "fdinfo", Integer.toString(number));
            return Userfaultfd.hasAgreedOn(features, Files.readString(path));
        });
    }

    @FunctionalInterface
    private interface Wanted {
        boolean test(int number) throws IOException;
    }

    private static List<Left> fetchLeft(ProcessFd process, Wanted wanted) throws IOException {
        List<Left> found = new ArrayList<>();
        try {
            for (Map.Entry<Integer, String> open :
                    OpenFiles.of(process.pid()).names().entrySet()) {
                if (open.getValue().equals(NAME) && wanted.test(open.getKey())) {
                    found.add(new Left(process.fetch(open.getKey()), open.getKey()));
                }
            }
            return found;
        } catch (IOException e) {
            found.forEach(left -> left.fd().close());
            throw e;
        }
    }

    /**
     * Closes a userfaultfd that was left open in the process. Does nothing if the number belongs to another file there.
     *
     * @throws IOException if it could not be closed
     */
    public static void close(ProcessFd process, int number) throws IOException {
        Attaching.to(process, () -> {
            if (NAME.equals(OpenFiles.of(process.pid()).names().get(number))) {
                try (BorrowedThread thread = BorrowedThread.stop(Tracing.REAL, process, LIMIT)) {
                    closeThere(thread, number);
                }
            }
            return number;
        });
    }

    /**
     * Makes and fetches a userfaultfd that also reports faults of system calls; fails if the process may not have one.
     *
     * @throws IOException if that fails, with the reason; the process is as before
     */
    static Fetched fetchForSystemCallsToo(ProcessFd process) throws IOException {
        return Attaching.to(process, () -> fetchOnce(process, Tracing.REAL, ForeignUserfaultfd::makeForSystemCallsToo));
    }

    static Fetched fetch(ProcessFd process, Tracing tracing) throws IOException {
        return Attaching.to(process, () -> fetchOnce(process, tracing, ForeignUserfaultfd::make));
    }

    @FunctionalInterface
    private interface Making {
        long make(BorrowedThread thread) throws IOException;
    }

    private static Fetched fetchOnce(ProcessFd process, Tracing tracing, Making making) throws IOException {
        long start = System.nanoTime();
        Fd fd = null;
        try (BorrowedThread thread = BorrowedThread.stop(tracing, process, LIMIT)) {
            long number = making.make(thread);
            try {
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

    private static Left leaveOnce(ProcessFd process) throws IOException {
        Fd fd = null;
        try (BorrowedThread thread = BorrowedThread.stop(Tracing.REAL, process, LIMIT)) {
            long number = makeForSystemCallsToo(thread);
            try {
                fd = process.fetch((int) number);
            } catch (IOException e) {
                closeThere(thread, number);
                throw e;
            }
            return new Left(fd, (int) number);
        } catch (IOException | RuntimeException e) {
            if (fd != null) {
                fd.close();
            }
            throw e;
        }
    }

    /** Repeats a failed call once: the process must not keep a descriptor that is not its own. */
    private static void closeThere(BorrowedThread thread, long number) throws IOException {
        try {
            thread.call(CLOSE, number);
        } catch (IOException e) {
            thread.call(CLOSE, number);
        }
    }

    private static long makeForSystemCallsToo(BorrowedThread thread) throws IOException {
        long number = thread.call(Userfaultfd.SYSTEM_CALL, Userfaultfd.FLAGS);
        if (number < 0) {
            throw new LinuxException(
                    "userfaultfd",
                    "the process attached to",
                    (int) -number,
                    "it may not create one that also handles page faults of system calls (see"
                            + " vm.unprivileged_userfaultfd)");
        }
        return number;
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
