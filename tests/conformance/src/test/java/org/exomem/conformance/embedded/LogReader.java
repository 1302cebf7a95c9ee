package org.exomem.conformance.embedded;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.vhostuser.linux.LinuxException;
import org.exomem.vhostuser.linux.Mapping;
import org.exomem.vhostuser.linux.SharedFile;

/** Follows a guest's writes by its log, as a migration does: fetches and clears, then copies what the bits stand for. */
final class LogReader implements AutoCloseable {
    private static final VarHandle WORD = JAVA_LONG.varHandle();
    private static final long FOUR_GIB_PAGES = 1L << 20;

    private final Mapping log;
    private final MemorySegment from;
    private final MemorySegment to;
    private final long lowPages;

    /** @param low bytes of the memory that are below the hole */
    LogReader(Path log, long logSize, MemorySegment from, MemorySegment to, long low) throws LinuxException {
        try (SharedFile file = SharedFile.openOrCreate(log, logSize)) {
            this.log = Mapping.of(file, 0, logSize);
        }
        this.from = from;
        this.to = to;
        this.lowPages = low / GuestRam.PAGE;
    }

    /** Copies every page that was written since the last round; returns how many. */
    long round() {
        long copied = 0;
        for (long at = 0; at < log.segment().byteSize(); at += 8) {
            // Acquire: the pages are read after the bits.
            long bits = (long) WORD.getAndSetAcquire(log.segment(), at, 0L);
            for (; bits != 0; bits &= bits - 1) {
                long page = at * 8 + Long.numberOfTrailingZeros(bits);
                long inFile = page < lowPages ? page : page - FOUR_GIB_PAGES + lowPages;
                MemorySegment.copy(from, inFile * GuestRam.PAGE, to, inFile * GuestRam.PAGE, GuestRam.PAGE);
                copied++;
            }
        }
        return copied;
    }

    @Override
    public void close() {
        log.close();
    }
}
