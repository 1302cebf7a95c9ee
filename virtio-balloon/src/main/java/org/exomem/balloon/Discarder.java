package org.exomem.balloon;

import java.util.function.Consumer;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/**
 * Gives guest memory back to the host by punching holes into the regions' files. {@code madvise} would not do: it
 * empties this process's page tables, and the pages stay in the file.
 *
 * <p>Ranges that touch each other in one file become one call, also where guest addresses have a gap between them (the
 * hole below 4 GiB). Only whole pages of the file are punched. Nothing has happened to a range before {@link #flush};
 * chains are given back to the driver after it, because a page must not be emptied when the guest has it again.
 */
final class Discarder {
    /** The system call: {@link SharedFile#punchHole}. */
    @FunctionalInterface
    interface Punch {
        void punch(SharedFile file, long offset, long length) throws LinuxException;
    }

    private final HostFaults faults = new HostFaults(System::nanoTime);
    private final Punch punch;
    private final Consumer<String> hostFault;
    private @Nullable SharedFile file;
    private long start;
    private long end;
    private long discardedBytes;

    /** @param hostFault is told what failed */
    Discarder(Punch punch, Consumer<String> hostFault) {
        this.punch = punch;
        this.hostFault = hostFault;
    }

    /** The bytes given back since the device was made. */
    long discardedBytes() {
        return discardedBytes;
    }

    /** Adds the bytes from {@code from} to before {@code to} of a file. */
    void add(SharedFile other, long from, long to) {
        SharedFile current = file;
        boolean sameFile = current != null && (current == other || current.isSameFileAs(other));
        if (sameFile && from <= end && to >= start) {
            start = Math.min(start, from);
            end = Math.max(end, to);
            return;
        }
        flush();
        file = other;
        start = from;
        end = to;
    }

    /** Forgets what was added and not punched: another front-end comes, and the files of the one before are closed. */
    void forget() {
        file = null;
    }

    /** Punches what has been added and is still whole. */
    void flush() {
        SharedFile current = file;
        if (current == null) {
            return;
        }
        file = null;
        long from = start + current.pageSize() - 1 & -current.pageSize();
        long to = end & -current.pageSize();
        if (from >= to) {
            return;
        }
        try {
            punch.punch(current, from, to - from);
            discardedBytes += to - from;
        } catch (LinuxException e) {
            faults.report(e, "the host keeps this memory, the guest goes on", hostFault);
        }
    }
}
