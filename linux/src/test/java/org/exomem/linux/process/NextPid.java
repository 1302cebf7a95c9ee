package org.exomem.linux.process;

import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.awaitility.Awaitility;

/**
 * Has the kernel give a process number again that another process had. Needs root, and a kernel with checkpoint and restore; a test
 * that can't have it is skipped.
 */
public final class NextPid {
    private static final Path LAST = Path.of("/proc/sys/kernel/ns_last_pid");
    private static final Duration LIMIT = Duration.ofSeconds(10);
    /** Somebody else may be given the number. */
    private static final int TRIES = 50;

    private NextPid() {}

    static void assumePossible() {
        assumeTrue(Files.isWritable(LAST), "needs root to say which number the next process gets");
    }

    /** A shell's command that has the process which it starts next get this number. */
    static String command(int pid) {
        return "echo " + (pid - 1) + " >" + LAST + "; ";
    }

    /** Starts a process that gets this number, which was that of a process that was ended. */
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

    /** Returns the number of one. */
    @FunctionalInterface
    public interface Number<P> {
        int of(P process);
    }

    /** The same, by whatever has the process get the number. */
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
