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
 * Has another process make a userfaultfd, and fetches it. The process's main thread stands still for that, about a millisecond; no
 * other thread does. Nothing of it stays in the process, unless it is wanted to.
 */
public final class ForeignUserfaultfd {
    private static final int CLOSE = 3;
    private static final Duration LIMIT = Duration.ofMillis(500);

    /** What the kernel calls one, among what a process has open. */
    private static final String NAME = "anon_inode:[userfaultfd]";

    /**
     * What was fetched.
     *
     * @param fd the userfaultfd, of which no features were asked yet
     * @param stopped how long the main thread stood still
     */
    public record Fetched(Fd fd, Duration stopped) {}

    /**
     * One that stays open in the process.
     *
     * @param fd another descriptor of the same
     * @param number that it has in the process
     */
    public record Left(Fd fd, int number) {}

    private ForeignUserfaultfd() {}

    /**
     * Waits for the process for half a second at most.
     *
     * @throws IOException if it could not be had, saying why; the process is as it was
     */
    public static Fetched fetch(ProcessFd process) throws IOException {
        return fetch(process, Tracing.REAL);
    }

    /**
     * Fetches one that tells of the faults of system calls too, and leaves it open in the process: when this process ends, whoever
     * waits there waits on, and {@link #left} finds it. No features were asked of it yet.
     *
     * @throws IOException if it could not be had, saying why; the process is as it was
     */
    public static Left leave(ProcessFd process) throws IOException {
        return Attaching.to(process, () -> leaveOnce(process));
    }

    /**
     * Fetches all that are open in the process, whoever made them.
     *
     * @throws IOException if the process has ended, or may not be looked at
     */
    public static List<Left> left(ProcessFd process) throws IOException {
        return fetchLeft(process, number -> true);
    }

    /**
     * Fetches those that are open in the process and have agreed on just these features.
     *
     * @throws IOException if the process has ended, or may not be looked at
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
     * Closes one in the process that was left open there. Does nothing if that number is not one's there.
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
     * Fetches one that tells of the faults of system calls too; none where the process may not have such a one.
     *
     * @throws IOException if it could not be had, saying why; the process is as it was
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

    /** Once more if it fails: the process must not keep a descriptor that is not its own. */
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
                    "it may not have one that tells of the faults of system calls too (see"
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
