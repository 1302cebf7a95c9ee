package org.exomem.migration.stream.destination;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.Iterator;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/**
 * Prepares huge pages for dense memory of a file, if the host allows them for the file on request. The guest has huge pages
 * afterwards, and the host allocates memory for 512 pages at once. Parts of a huge page that do not arrive are soon given
 * back to the host. A failure affects only the size of pages. For one thread at a time.
 */
final class HugePages implements AutoCloseable {
    /** The bytes of a huge page. */
    static final long SIZE = 2L << 20;

    /** A write of at least this many bytes means that memory is dense. */
    static final long DENSE = 1L << 18;

    /** The most huge pages that are incomplete: 16 MiB. */
    private static final int MOST_OPEN = 8;

    /** After this many refusals of the host in a row, no more huge pages are requested. */
    private static final int MOST_REFUSALS = 3;

    private static final long PAGE = SharedFile.SMALL_PAGE;
    private static final int PAGES = (int) (SIZE / PAGE);

    private final SharedFile file;
    private final long end;
    /** The huge pages of which a part has arrived. */
    private final BitSet seen = new BitSet();

    private final Deque<Open> open = new ArrayDeque<>();
    private @Nullable Mapping mapping;
    private int refusals;

    /** A huge page that is incomplete. */
    private record Open(long offset, BitSet arrived) {}

    /** @param file of small pages; remains the caller's */
    HugePages(SharedFile file, long size) {
        this.file = file;
        this.end = size / SIZE * SIZE;
        try {
            Mapping made = Mapping.of(file, 0, size);
            mapping = made;
            made.preferHugePages();
        } catch (LinuxException e) {
            close();
        }
    }

    /** Must be called before content is written to the file. In bytes. */
    void prepare(long offset, long length) {
        long last = Math.min(end, offset + length);
        for (long at = offset / SIZE * SIZE; at < last && mapping != null; at += SIZE) {
            int index = (int) (at / SIZE);
            if (!seen.get(index)) {
                seen.set(index);
                if (length >= DENSE) {
                    take(at);
                }
            }
        }
    }

    private void take(long at) {
        try {
            long data = file.nextData(at);
            if (data >= 0 && data < at + SIZE) {
                return;
            }
            Mapping mapped = mapping;
            if (mapped == null) {
                return;
            }
            mapped.populate(at);
            if (file.nextHole(at) < at + SIZE) {
                refused();
                return;
            }
            refusals = 0;
            // Otherwise this process would seem to use all of the guest's memory.
            mapped.letGo(at, SIZE);
            open.addLast(new Open(at, new BitSet(PAGES)));
            if (open.size() > MOST_OPEN) {
                giveBack(open.removeFirst());
            }
        } catch (LinuxException e) {
            refused();
        }
    }

    private void refused() {
        if (++refusals == MOST_REFUSALS) {
            close();
        }
    }

    /**
     * Must be called after content was written, or was given back to the host. In bytes. A page of which a part arrived is
     * kept.
     */
    void arrived(long offset, long length) {
        if (open.isEmpty()) {
            return;
        }
        for (Iterator<Open> each = open.iterator(); each.hasNext(); ) {
            Open page = each.next();
            long from = Math.max(offset, page.offset);
            long to = Math.min(offset + length, page.offset + SIZE);
            if (from < to) {
                page.arrived.set((int) ((from - page.offset) / PAGE), (int) ((to - page.offset + PAGE - 1) / PAGE));
                if (page.arrived.nextClearBit(0) == PAGES) {
                    each.remove();
                }
            }
        }
    }

    /**
     * Gives back the rest of the oldest huge page. Memory is sent in ascending order, so that the rest will hardly arrive
     * soon.
     */
    private void giveBack(Open page) throws LinuxException {
        for (int at = page.arrived.nextClearBit(0); at < PAGES; ) {
            int next = page.arrived.nextSetBit(at);
            int to = next < 0 ? PAGES : next;
            file.punchHole(page.offset + at * PAGE, (to - at) * PAGE);
            at = page.arrived.nextClearBit(to);
        }
    }

    /** Ends the preparation. Prepared huge pages stay. */
    @Override
    public void close() {
        Mapping mapped = mapping;
        if (mapped != null) {
            mapping = null;
            mapped.close();
        }
    }
}
