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
 * Has dense memory of a file arrive in huge pages, where the host allows them for the file on request: the guest has them
 * afterwards, and the host finds memory for 512 pages at once. What lies in a huge page and does not arrive goes back to the host
 * soon. Failures change nothing but the size of pages. For one thread at a time.
 */
final class HugePages implements AutoCloseable {
    /** Bytes of a huge page. */
    static final long SIZE = 2L << 20;

    /** What comes at once of memory that is taken for dense; bytes. */
    static final long DENSE = 1L << 18;

    /** Huge pages of which not everything has arrived: 16 MiB at most. */
    private static final int MOST_OPEN = 8;

    /** So often in a row the host may give no huge page before it is not asked again. */
    private static final int MOST_REFUSALS = 3;

    private static final long PAGE = SharedFile.SMALL_PAGE;
    private static final int PAGES = (int) (SIZE / PAGE);

    private final SharedFile file;
    private final long end;
    /** Of which something has arrived. */
    private final BitSet seen = new BitSet();

    private final Deque<Open> open = new ArrayDeque<>();
    private @Nullable Mapping mapping;
    private int refusals;

    /** A huge page of which not everything has arrived yet. */
    private record Open(long offset, BitSet arrived) {}

    /** @param file of small pages; stays the caller's */
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

    /** To be called before content is written to the file; bytes. */
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
            // This process would seem to use all of the guest's memory otherwise.
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

    /** To be called when content was written, or was given back to the host; bytes. A page of which a part arrived is kept. */
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

    /** Memory travels in ascending order, so that what has not come by now hardly comes soon. */
    private void giveBack(Open page) throws LinuxException {
        for (int at = page.arrived.nextClearBit(0); at < PAGES; ) {
            int next = page.arrived.nextSetBit(at);
            int to = next < 0 ? PAGES : next;
            file.punchHole(page.offset + at * PAGE, (to - at) * PAGE);
            at = page.arrived.nextClearBit(to);
        }
    }

    /** Prepares nothing any more. What is prepared stays. */
    @Override
    public void close() {
        Mapping mapped = mapping;
        if (mapped != null) {
            mapping = null;
            mapped.close();
        }
    }
}
