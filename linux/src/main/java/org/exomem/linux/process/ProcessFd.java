package org.exomem.linux.process;

import java.io.IOException;
import java.time.Duration;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Poll;

/**
 * A process, identified by a {@code pidfd}: as long as it is alive by this, its number belongs to no other process. Safe for
 * use by several threads.
 */
public final class ProcessFd implements AutoCloseable {
    private static final int KILL = 9;

    private final int pid;
    private final Fd fd;

    private ProcessFd(int pid, Fd fd) {
        this.pid = pid;
        this.fd = fd;
    }

    /** @throws LinuxException ESRCH if there is no such process */
    public static ProcessFd open(int pid) throws LinuxException {
        long result = ProcessCalls.syscall(ProcessCalls.PIDFD_OPEN, pid, 0, 0);
        if (result < 0) {
            throw new LinuxException("pidfd_open", "process " + pid, ProcessCalls.errno());
        }
        return new ProcessFd(pid, new Fd((int) result));
    }

    /** Readable when the process has ended; closed with this. */
    public Fd fd() {
        return fd;
    }

    public int pid() {
        return pid;
    }

    /**
     * False when it has ended.
     *
     * @throws LinuxException if the call fails
     */
    public boolean isAlive() throws LinuxException {
        return !Poll.readable(fd, Duration.ZERO);
    }

    /**
     * Waits until it has ended.
     *
     * @return false at the limit
     * @throws LinuxException if the call fails
     */
    public boolean awaitEnd(Duration limit) throws LinuxException {
        return Poll.readable(fd, limit);
    }

    /**
     * Kills it (SIGKILL).
     *
     * @throws LinuxException ESRCH if it has ended, EPERM if this process may not
     */
    public void kill() throws LinuxException {
        if (ProcessCalls.syscall(ProcessCalls.PIDFD_SEND_SIGNAL, fd.number(), KILL, 0, 0) < 0) {
            throw new LinuxException("pidfd_send_signal", toString(), ProcessCalls.errno());
        }
    }

    /**
     * Fetches a descriptor from the process: another one of the same open file.
     *
     * @param number of the descriptor in the process
     * @throws LinuxException EBADF if it is not open there, EPERM if this process may not, ESRCH if that process has ended
     */
    public Fd fetch(int number) throws LinuxException {
        long result = ProcessCalls.syscall(ProcessCalls.PIDFD_GETFD, fd.number(), number, 0);
        if (result < 0) {
            throw new LinuxException("pidfd_getfd", "fd " + number + " of " + this, ProcessCalls.errno());
        }
        return new Fd((int) result);
    }

    /**
     * Its present status in {@code /proc}.
     *
     * @throws IOException if it has ended, or may not be examined
     */
    public ProcessStatus status() throws IOException {
        return ProcessStatus.of(pid);
    }

    @Override
    public void close() {
        fd.close();
    }

    @Override
    public String toString() {
        return "process " + pid;
    }
}
