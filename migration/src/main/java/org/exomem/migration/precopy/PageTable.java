package org.exomem.migration.precopy;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.exomem.migration.PageBits;

/**
 * What is known of the destination's pages, and of the contents of ours. A page is at any time one of:
 *
 * <ul>
 *   <li>ZERO: the destination has zeros, as at the beginning.
 *   <li>SENT: the destination has the content with the fingerprint that is kept here.
 *   <li>SEEN: the destination has zeros, and the page once had the content with the fingerprint that is kept here. It may be
 *       ASSUMED FREE besides: hinted in a session that began after that.
 * </ul>
 *
 * The 64 pages of a word are used by one thread at a time: by the worker that has them in hand, otherwise by the engine's.
 */
final class PageTable {
    private static final int ENTRY = 16;

    private final MemorySegment fingerprints;
    final PageBits sent;
    final PageBits seen;
    final PageBits assumedFree;
    /** Pages whose content went to the destination at any time. */
    final PageBits travelled;

    /** @param fingerprints memory of {@link #bytes} bytes, aligned to 8 */
    PageTable(long pages, MemorySegment fingerprints) {
        this.fingerprints = fingerprints;
        this.sent = new PageBits(pages);
        this.seen = new PageBits(pages);
        this.assumedFree = new PageBits(pages);
        this.travelled = new PageBits(pages);
    }

    /** The bytes that the fingerprints of so many pages take. */
    static long bytes(long pages) {
        return pages * ENTRY;
    }

    boolean hasFingerprint(long page, long[] fingerprint) {
        return fingerprints.get(JAVA_LONG, page * ENTRY) == fingerprint[0]
                && fingerprints.get(JAVA_LONG, page * ENTRY + Long.BYTES) == fingerprint[1];
    }

    private void keep(long page, long[] fingerprint) {
        fingerprints.set(JAVA_LONG, page * ENTRY, fingerprint[0]);
        fingerprints.set(JAVA_LONG, page * ENTRY + Long.BYTES, fingerprint[1]);
    }

    /** The destination is given zeros, or had them. */
    void isZero(long page) {
        sent.remove(page);
        seen.remove(page);
        assumedFree.remove(page);
    }

    void isSeen(long page, long[] fingerprint) {
        keep(page, fingerprint);
        seen.add(page);
    }

    void isSent(long page, long[] fingerprint) {
        keep(page, fingerprint);
        sent.add(page);
        seen.remove(page);
        assumedFree.remove(page);
        travelled.add(page);
    }
}
