package org.exomem.migration.precopy;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.exomem.pages.PageBits;

/**
 * What is known of the destination's pages, and of the contents of ours. A page is at any time one of:
 *
 * <ul>
 *   <li>ZERO: the destination has zeros, as at the beginning.
 *   <li>SENT: the destination has the content with the fingerprint that is kept here.
 *   <li>SEEN: the destination has zeros, and the page once had the content with the fingerprint that is kept here. It may be
 *       ASSUMED FREE besides: hinted in a session that began after that.
 *   <li>UNSURE: something was sent, and the connection was lost before the destination had confirmed it. It is unknown what
 *       the destination has, so the page is sent whatever it holds (MIG-CUT-2).
 * </ul>
 *
 * The 64 pages of a word are used by one thread at a time: by the worker that has them in hand, otherwise by the engine's.
 */
class PageTable {
    private static final int ENTRY = 16;

    private final MemorySegment fingerprints;
    final PageBits sent;
    final PageBits seen;
    final PageBits assumedFree;
    /** Pages whose content went to the destination at any time. */
    final PageBits travelled;

    final PageBits unsure;
    /** Pages for which anything was sent that the destination has not confirmed yet. */
    private final PageBits unconfirmed;

    /** @param fingerprints memory of {@link #bytes} bytes, aligned to 8 */
    PageTable(long pages, MemorySegment fingerprints) {
        this.fingerprints = fingerprints;
        this.sent = new PageBits(pages);
        this.seen = new PageBits(pages);
        this.assumedFree = new PageBits(pages);
        this.travelled = new PageBits(pages);
        this.unsure = new PageBits(pages);
        this.unconfirmed = new PageBits(pages);
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

    /** The page reads as zeros. Returns true if the destination has to be told (MIG-DIRTY-7, MIG-CUT-2). */
    boolean markZero(long page) {
        boolean told = sent.contains(page) || unsure.contains(page);
        if (told) {
            markUnconfirmed(page);
        }
        sent.remove(page);
        seen.remove(page);
        assumedFree.remove(page);
        return told;
    }

    void markSeen(long page, long[] fingerprint) {
        keep(page, fingerprint);
        seen.add(page);
    }

    void markSent(long page, long[] fingerprint) {
        markUnconfirmed(page);
        keep(page, fingerprint);
        sent.add(page);
        seen.remove(page);
        assumedFree.remove(page);
        travelled.add(page);
    }

    private void markUnconfirmed(long page) {
        unsure.remove(page);
        unconfirmed.add(page);
    }

    /** The destination has all that was sent (MIG-CUT-3). */
    void confirm() {
        unconfirmed.clear();
    }

    /** What was not confirmed may have arrived or not: adds these pages to what is owed (MIG-CUT-1). */
    void lose(PageBits owed) {
        sent.andNot(unconfirmed);
        unsure.or(unconfirmed);
        owed.or(unconfirmed);
        unconfirmed.clear();
    }
}
