package org.exomem.migration.precopy;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.exomem.pages.PageBits;

/**
 * What is known of the destination's pages, and of the contents of the source's. A page is at any time one of:
 *
 * <ul>
 *   <li>ZERO: the destination has zeros, as at the beginning.
 *   <li>SENT: the destination has the content with the fingerprint that is kept here.
 *   <li>SEEN: the destination has zeros, and the page once had the content with the fingerprint that is kept here. It may
 *       also be ASSUMED FREE: hinted in a session that began after that.
 *   <li>UNSURE: something was sent, and the connection was lost before the destination had confirmed it. It is unknown what
 *       the destination has, so the page is sent in any case (MIG-CUT-2).
 * </ul>
 *
 * <p>The 64 pages of a word are used by one thread at a time: by the worker that has them, otherwise by the engine's thread.
 */
class PageTable {
    private static final int ENTRY = 16;

    private final MemorySegment fingerprints;
    final PageBits sent;
    final PageBits seen;
    final PageBits assumedFree;
    /** Pages whose content was sent to the destination at any time. */
    final PageBits travelled;

    final PageBits unsure;
    /** Pages that were sent in any form, and that the destination has not confirmed yet. */
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

    /** The size of the fingerprints of this number of pages, in bytes. */
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

    /** The page is zeros. Returns true if the destination must be told (MIG-DIRTY-7, MIG-CUT-2). */
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

    /** The destination has everything that was sent (MIG-CUT-3). */
    void confirm() {
        unconfirmed.clear();
    }

    /** Pages that were not confirmed may have arrived or not: adds them to the owed pages (MIG-CUT-1). */
    void lose(PageBits owed) {
        sent.andNot(unconfirmed);
        unsure.or(unconfirmed);
        owed.or(unconfirmed);
        unconfirmed.clear();
    }
}
