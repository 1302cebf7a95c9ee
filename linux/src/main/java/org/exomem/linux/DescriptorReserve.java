package org.exomem.linux;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Spare descriptors that this process keeps open, so that numbers are free when a message brings descriptors. The kernel
 * drops descriptors for which no number is free (MSG_CTRUNC), and they are lost. All threads share the reserve: while one
 * uses it, the others wait, so its call must not wait itself.
 */
public final class DescriptorReserve {
    /** The number of spare descriptors: as many as a message may bring. */
    public static final int SIZE = MessageSocket.MAX_FDS;

    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final int F_DUPFD_CLOEXEC = 1030;

    private static final DescriptorReserve PROCESS = new DescriptorReserve();

    private final Deque<Fd> kept = new ArrayDeque<>(SIZE);
    private @Nullable Fd nothing;
    private int errno;

    private DescriptorReserve() {}

    /** The reserve of this process. */
    public static DescriptorReserve ofProcess() {
        return PROCESS;
    }

    /** A system call that makes at most {@link #SIZE} descriptors and does not wait. */
    @FunctionalInterface
    public interface Call<T> {
        T run() throws LinuxException;
    }

    /**
     * True if {@link #lend} would run its call now; first tries to fill the reserve. False while no descriptors are
     * available.
     */
    public synchronized boolean isWhole() {
        fill();
        return kept.size() == SIZE;
    }

    /**
     * Runs a call while {@link #SIZE} descriptors are free for it.
     *
     * @throws LinuxException EMFILE or ENFILE, without a call, if the reserve is not full; or what the call throws
     */
    public synchronized <T> T lend(Call<T> call) throws LinuxException {
        T result = tryToLend(call);
        if (result == null) {
            throw new LinuxException(
                    "keeping a reserve",
                    SIZE + " descriptors",
                    errno,
                    "the limit of open files (ulimit -n, LimitNOFILE=) is too low for the devices that are served");
        }
        return result;
    }

    /** As {@link #lend}, but returns null if the reserve is not full. */
    public synchronized <T> @Nullable T tryToLend(Call<T> call) throws LinuxException {
        if (!isWhole()) {
            return null;
        }
        kept.forEach(Fd::close);
        kept.clear();
        try {
            return call.run();
        } finally {
            fill();
        }
    }

    private void fill() {
        while (kept.size() < SIZE) {
            int number = nothing == null ? openNothing() : LibC.fcntl(nothing.number(), F_DUPFD_CLOEXEC, 0);
            if (number < 0) {
                errno = LibC.errno();
                return;
            }
            if (nothing == null) {
                nothing = new Fd(number);
            } else {
                kept.add(new Fd(number));
            }
        }
    }

    private static int openNothing() {
        return LibC.open(NativeBuffer.ofUtf8("/dev/null").address(), O_RDONLY_CLOEXEC, 0);
    }
}
