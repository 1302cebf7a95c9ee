package org.exomem.linux.process;

import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.awaitility.Awaitility;

/**
 * Makes the kernel reuse a process id. Needs root, and a kernel with checkpoint and restore. A test without these is
 * skipped.
 */
public final class NextPid {
    private static final Path LAST = Path.of("/proc/sys/kernel/ns_last_pid");
    private static final Duration LIMIT = Duration.ofSeconds(10);
    /** Another process may get the id. */
    private static final int TRIES = 50;

    private NextPid() {}

    static void assumePossible() {
        assumeTrue(Files.isWritable(LAST), "needs root to say which number the next process gets");
    }

    /** A shell command that gives this id to the next process that the shell starts. */
    static String command(int pid) {
        return "echo " + (pid - 1) + " >" + LAST + "; ";
    }

    /** Starts a process with this id, which an ended process had before. */
    public static <P extends AutoCloseable> P start(int pid, Start<P> start, Number<P> number) throws Exception {
        return attempt(
                pid,
                () -> {
                    Files.writeString(LAST, Integer.toString(pid - 1));
                    return start.process();
                },
                number);
    }

    /** Starts a process. */
    @FunctionalInterface
    public interface Start<P extends AutoCloseable> {
        P process() throws IOException;
    }

    /** Returns the id of a process. */
    @FunctionalInterface
    public interface Number<P> {
        int of(P process);
    }

    /** The same, with any way to give the id to the process. */
    static <P extends AutoCloseable> P attempt(int pid, Start<P> start, Number<P> number) throws Exception {
        assumePossible();
        Awaitility.await().atMost(LIMIT).until(() -> !Files.exists(Path.of("/proc", Integer.toString(pid))));
        for (int i = 0; i < TRIES; i++) {
            P process = start.process();
            if (number.of(process) == pid) {
                return process;
            }
            process.close();
        }
        return abort("other processes were given the number");
    }
}
