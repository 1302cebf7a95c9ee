package org.exomem.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A file descriptor that this object owns. It is closed exactly once. Any thread may close it; its number must not be used
 * after that.
 */
public final class Fd implements AutoCloseable {
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int O_NONBLOCK = 0x800;

    private final int number;
    private final AtomicBoolean open = new AtomicBoolean(true);

    /** Owns an open descriptor from now on. */
    public Fd(int number) {
        if (number < 0) {
            throw new IllegalArgumentException("not a file descriptor: " + number);
        }
        this.number = number;
    }

    static Fd of(int result, String call, String subject) throws LinuxException {
        if (result < 0) {
            throw new LinuxException(call, subject, LibC.errno());
        }
        return new Fd(result);
    }

    /**
     * The number for system calls.
     *
     * @throws IllegalStateException if it was closed, as the number may by now belong to another VM's memory
     */
    public int number() {
        if (!open.get()) {
            throw new IllegalStateException("fd " + number + " is already closed");
        }
        return number;
    }

    /** False after it was closed. */
    public boolean isOpen() {
        return open.get();
    }

    /**
     * Returns a second descriptor of the same open file, with close-on-exec set.
     *
     * @throws LinuxException EMFILE, …
     */
    public Fd duplicate() throws LinuxException {
        return of(LibC.fcntl(number, F_DUPFD_CLOEXEC, 0), "fcntl(F_DUPFD_CLOEXEC)", toString());
    }

    /** Makes reads and writes return EAGAIN instead of waiting. */
    public void setNonBlocking() throws LinuxException {
        int flags = LibC.fcntl(number, F_GETFL, 0);
        if (flags < 0 || LibC.fcntl(number, F_SETFL, flags | O_NONBLOCK) < 0) {
            throw new LinuxException("fcntl(O_NONBLOCK)", toString(), LibC.errno());
        }
    }

    /** The kernel's description of the descriptor: a path, {@code anon_inode:[eventfd]}, {@code /memfd:ram (deleted)} … */
    public String description() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/" + number)).toString();
        } catch (IOException e) {
            return "closed descriptor";
        }
    }

    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            // Linux frees the number even if close reports an error, so there is nothing to repeat.
            LibC.close(number);
        }
    }

    @Override
    public String toString() {
        return "fd " + number;
    }
}
