package org.exomem.migration.pagesource;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Comparator;
import java.util.List;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;

/**
 * A log of writes in memory that is shared with the writers of guest memory: a VMM, or exomem's own devices. Its format is
 * that of vhost-user ("Migration"): one bit for each of the guest's {@link Pages}, bit {@code p % 8} of byte {@code p / 8}
 * for page {@code p}. A writer sets a page's bit atomically, after its write.
 */
public final class SharedLog implements DirtySource {
    private static final VarHandle WORD = JAVA_LONG.varHandle();

    /** The words that are fetched before any is added; few enough to stay in the first-level cache. */
    private static final int FETCH = 512;

    private final MemorySegment log;
    /**
     * For each range of addresses, in ascending order: its first page, the page after its last one, and its first page in
     * the image.
     */
    private final long[] starts;

    private final long[] ends;
    private final long[] images;
    private final PageBits unseen;
    private final long[] fetched = new long[FETCH];

    /**
     * @param log whole words of 8 bytes, aligned
     * @param map the guest addresses of the image
     * @param pages the number of pages of the image; pages without a guest address, or after the end of the log, always
     *     count as written (MIG-DIRTY-4)
     */
    public SharedLog(MemorySegment log, AddressMap map, long pages) {
        this.log = log;
        List<AddressMap.Range> ranges = map.ranges().stream()
                .sorted(Comparator.comparingLong(AddressMap.Range::guestAddress))
                .toList();
        this.starts = ranges.stream()
                .mapToLong(range -> Pages.floor(range.guestAddress()))
                .toArray();
        this.ends = ranges.stream()
                .mapToLong(range -> Pages.floor(range.guestAddress() + range.length()))
                .toArray();
        this.images = ranges.stream().mapToLong(AddressMap.Range::firstPage).toArray();
        this.unseen = new PageBits(pages);
        unseen.addAll();
        map.forEachRun(0, Pages.bytes(log.byteSize() * Byte.SIZE), unseen::remove);
    }

    @Override
    public void sync(PageBits into) {
        into.or(unseen);
        long words = log.byteSize() / Long.BYTES;
        int range = 0;
        for (long from = 0; from < words; from += fetched.length) {
            int count = (int) Math.min(fetched.length, words - from);
            if (fetch(from, count)) {
                range = addFetched(from, count, range, into);
            }
        }
    }

    /**
     * Fetches and clears each word atomically, so that no write is missed. Adds to no set meanwhile, because each atomic
     * step waits for all earlier stores. Returns false if all words are 0.
     */
    private boolean fetch(long from, int count) {
        long any = 0;
        for (int i = 0; i < count; i++) {
            long at = (from + i) * Long.BYTES;
            // A word that has just become 0 costs nothing; a bit that is set just after this is for the next call.
            // Acquire: a thread that sees the bit sees the write that it reports.
            long bits = (long) WORD.getOpaque(log, at) == 0 ? 0 : (long) WORD.getAndSetAcquire(log, at, 0L);
            fetched[i] = bits;
            any |= bits;
        }
        return any != 0;
    }

    /** Returns the first range, from {@code range} on, that does not end before the fetched words. */
    private int addFetched(long from, int count, int range, PageBits into) {
        int r = range;
        int i = 0;
        while (i < count) {
            long page = (from + i) * PageBits.WORD;
            while (r < ends.length && ends[r] <= page) {
                r++;
            }
            int whole = wholeWords(r, page, count - i);
            if (whole > 0) {
                into.or(images[r] + page - starts[r], fetched, i, whole);
            } else {
                add(r, page, fetched[i], into);
            }
            i += Math.max(whole, 1);
        }
        return r;
    }

    /** How many of {@code count} words of pages from {@code page} on are completely in a range. */
    private int wholeWords(int range, long page, int count) {
        boolean begins = range < starts.length && starts[range] <= page;
        return begins ? (int) Math.min(count, (ends[range] - page) / PageBits.WORD) : 0;
    }

    /**
     * Adds the pages of a word.
     *
     * @param range the first range that does not end before them
     */
    private void add(int range, long from, long bits, PageBits into) {
        for (int r = range; r < starts.length && starts[r] < from + PageBits.WORD; r++) {
            long first = Math.max(from, starts[r]);
            long end = Math.min(from + PageBits.WORD, ends[r]);
            into.or(
                    images[r] + first - starts[r],
                    (bits >>> (first - from)) & (-1L >>> (PageBits.WORD - (end - first))));
        }
    }
}
