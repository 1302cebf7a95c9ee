package org.exomem.conform.broken;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/** A dirty log of the saboteur, which the back-end marks. The marks go on to the front-end's log. */
final class LogRelay implements AutoCloseable {
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG;
    /** The time between reading and writing a word without an atomic operation. */
    private static final long BETWEEN_NANOS = 1_000_000;

    private static final VarHandle LONG = WORD.varHandle();

    private final SharedFile file;
    private final Mapping own;
    private final Mapping theirs;
    private final long offset;

    private LogRelay(SharedFile file, Mapping own, Mapping theirs, long offset) {
        this.file = file;
        this.own = own;
        this.theirs = theirs;
        this.offset = offset;
    }

    /**
     * Creates a substitute for the front-end's file.
     *
     * @param fd remains the caller's
     * @param size of the log, bytes
     * @param offset of the log in its file, bytes
     */
    static LogRelay of(Fd fd, long size, long offset) throws LinuxException {
        try (SharedFile front = new SharedFile(fd.duplicate())) {
            Mapping theirs = Mapping.of(front, 0, front.size());
            SharedFile file = SharedFile.memfd("log", front.size());
            return new LogRelay(file, Mapping.of(file, 0, front.size()), theirs, offset);
        }
    }

    Fd fd() throws LinuxException {
        return file.fd().duplicate();
    }

    /** Passes on the back-end's marks. */
    void pump(Tampering tampering) {
        MemorySegment from = own.segment();
        MemorySegment to = theirs.segment();
        for (long at = 0; at + Long.BYTES <= from.byteSize(); at += Long.BYTES) {
            if (from.get(WORD, at) != 0) {
                long bits = tampering.logged((long) LONG.getAndSet(from, at, 0L), (at - offset) / Long.BYTES);
                if (tampering.logsAtomically()) {
                    LONG.getAndBitwiseOr(to, at, bits);
                } else {
                    long before = to.get(WORD, at);
                    LockSupport.parkNanos(BETWEEN_NANOS);
                    to.set(WORD, at, before | bits);
                }
            }
        }
        for (long at = from.byteSize() & -Long.BYTES; at < from.byteSize(); at++) {
            to.set(ValueLayout.JAVA_BYTE, at, (byte)
                    (to.get(ValueLayout.JAVA_BYTE, at) | from.get(ValueLayout.JAVA_BYTE, at)));
        }
    }

    @Override
    public void close() {
        own.close();
        theirs.close();
        file.close();
    }
}
