package org.exomem.embedded;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.util.BitSet;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/** Follows a guest's writes by its log, as a migration does: fetches and clears bits, then copies their pages. */
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

    /** Copies every page that was written since the last round. Returns their number. */
    long round() {
        BitSet written = new BitSet();
        sync(written);
        written.stream().forEach(this::copy);
        return written.cardinality();
    }

    /** Adds the pages that were written since the last call, by their numbers in the file. */
    void sync(BitSet written) {
        for (long at = 0; at < log.segment().byteSize(); at += 8) {
            // Acquire: the pages must be read after the bits.
            long bits = (long) WORD.getAndSetAcquire(log.segment(), at, 0L);
            for (; bits != 0; bits &= bits - 1) {
                long page = at * 8 + Long.numberOfTrailingZeros(bits);
                written.set(inFile(page));
            }
        }
    }

    /** The number in the file of a page, from its guest address. */
    int inFile(long guestPage) {
        return (int) (guestPage < lowPages ? guestPage : guestPage - FOUR_GIB_PAGES + lowPages);
    }

    void copy(int page) {
        MemorySegment.copy(from, page * GuestRam.PAGE, to, page * GuestRam.PAGE, GuestRam.PAGE);
    }

    @Override
    public void close() {
        log.close();
    }
}
