package org.exomem.migration.source;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Comparator;
import java.util.List;
import org.exomem.migration.PageBits;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.image.MemoryImage;

/**
 * A log in memory that is shared with who writes guest memory: a VMM, or our own devices. Its format is the one of
 * vhost-user ("Migration"): one bit for each 4096 bytes of guest-physical memory, bit {@code p % 8} of byte {@code p / 8} for
 * page {@code p}; whoever writes memory sets the bit atomically after that.
 */
public final class SharedLog implements DirtySource {
    private static final VarHandle WORD = JAVA_LONG.varHandle();

    private final MemorySegment log;
    /** Of each range of addresses, in ascending order: its first page and the one behind its last, and its first of the image. */
    private final long[] starts;

    private final long[] ends;
    private final long[] images;
    private final PageBits unseen;

    /**
     * @param log a whole number of words of 8 bytes, aligned to them
     * @param map where the log's addresses are in the image
     * @param pages of the image. Pages without a guest address, or behind the end of the log, may have been written at any
     *     time
     */
    public SharedLog(MemorySegment log, AddressMap map, long pages) {
        this.log = log;
        List<AddressMap.Range> ranges = map.ranges().stream()
                .sorted(Comparator.comparingLong(AddressMap.Range::guestAddress))
                .toList();
        this.starts = ranges.stream()
                .mapToLong(range -> range.guestAddress() / MemoryImage.PAGE)
                .toArray();
        this.ends = ranges.stream()
                .mapToLong(range -> (range.guestAddress() + range.length()) / MemoryImage.PAGE)
                .toArray();
        this.images = ranges.stream().mapToLong(AddressMap.Range::firstPage).toArray();
        this.unseen = new PageBits(pages);
        unseen.addAll();
        map.forEachRun(0, log.byteSize() * Byte.SIZE * MemoryImage.PAGE, unseen::remove);
    }

    /** Fetches and clears each word in one step, so that no write falls between. */
    @Override
    public void sync(PageBits into) {
        into.or(unseen);
        long words = log.byteSize() / Long.BYTES;
        int range = 0;
        for (long i = 0; i < words; i++) {
            // A word that has become 0 just now costs nothing; a bit that is set just after this is for the next call.
            if ((long) WORD.getOpaque(log, i * Long.BYTES) == 0) {
                continue;
            }
            // Acquire: whoever sees the bit sees the write that it tells of.
            long bits = (long) WORD.getAndSetAcquire(log, i * Long.BYTES, 0L);
            while (range < ends.length && ends[range] <= i * PageBits.WORD) {
                range++;
            }
            add(range, i * PageBits.WORD, bits, into);
        }
    }

    /** Adds pages from {@code from} on, from the first range that does not end before them. */
    private void add(int range, long from, long bits, PageBits into) {
        for (int r = range; r < starts.length && starts[r] < from + PageBits.WORD; r++) {
            long first = Math.max(from, starts[r]);
            long end = Math.min(from + PageBits.WORD, ends[r]);
            into.or(images[r] + first - starts[r], bits >>> first - from & -1L >>> PageBits.WORD - (end - first));
        }
    }
}
