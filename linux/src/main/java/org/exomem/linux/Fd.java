package org.exomem.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A file descriptor that this object owns: closed exactly once, whoever asks first. Safe to close from any thread; the
 * number must not be used after that.
 */
public final class Fd implements AutoCloseable {
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int O_NONBLOCK = 0x800;

    private final int number;
    private final AtomicBoolean open = new AtomicBoolean(true);

    /** Takes ownership of an open descriptor. */
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
     * The number that system calls take.
     *
     * @throws IllegalStateException if it was closed: the number may by now be that of another VM's memory
     */
    public int number() {
        if (!open.get()) {
            throw new IllegalStateException("fd " + number + " was closed before");
        }
        return number;
    }

    /** False once it was closed. */
    public boolean isOpen() {
        return open.get();
    }

    /** A second descriptor of the same open file, with close-on-exec set. */
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

    /** What the kernel says the descriptor is: a path, {@code anon_inode:[eventfd]}, {@code /memfd:ram (deleted)} … */
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
            // Linux frees the number even where close reports an error, so there is nothing to retry.
            LibC.close(number);
        }
    }

    @Override
    public String toString() {
        return "fd " + number;
    }
}
