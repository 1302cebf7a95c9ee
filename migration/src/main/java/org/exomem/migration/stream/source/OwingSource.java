package org.exomem.migration.stream.source;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.migration.GuestPages;
import org.exomem.migration.StreamFault;
import org.exomem.migration.pager.OwedPages;
import org.exomem.migration.pager.PrefetchOrder;
import org.exomem.migration.pager.Touches;
import org.exomem.migration.pager.Urgency;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pages that a source owes when its guest begins at the destination. Pages that threads wait for are sent first, on the
 * first data connection. The others follow on the remaining connections, near the last wanted page (STR-PST-4). Safe for use
 * by several threads.
 */
final class OwingSource implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OwingSource.class);

    /** The bytes of a piece of background pages; small, so that a wanted page is soon sent between two pieces. */
    private static final int PIECE = 1 << 18;

    private static final int QUEUE = 4096;

    private final GuestPages memory;
    private final PageBits promised;
    private final MemorySegment zeros;
    /** Pages that are wanted on connections on which nothing is sent yet. */
    private final PageBits early;

    private @Nullable SourceLink earlyOn;
    private @Nullable Serving serving;
    private volatile long left;

    /**
     * @param memory must not change after {@link #begin}, unless the migration fails before the destination has the guest
     * @param promised the pages that are owed so far; copied
     */
    OwingSource(GuestPages memory, PageBits promised) {
        this.memory = memory;
        this.promised = new PageBits(promised.pages());
        this.promised.copyOf(promised);
        this.early = new PageBits(promised.pages());
        this.zeros = Arena.ofAuto().allocate(memory.pageSize(), Long.BYTES);
        this.left = promised.count();
    }

    PageBits promised() {
        return promised;
    }

    /** Adds owed pages. Call it before {@link #begin}. */
    synchronized void promise(PageBits more) {
        promised.or(more);
        left = promised.count();
    }

    /** The number of pages that have not been sent. Sent pages may still be on their way. */
    long left() {
        return left;
    }

    /** Begins to send on these connections, in place of earlier ones. */
    synchronized void begin(SourceLink link, List<SenderChannel> channels, PageBits owed) {
        close();
        Serving next = new Serving(link, channels, owed);
        next.start();
        if (earlyOn == link) {
            early.forEachRun((first, count) -> {
                for (long page = first; page < first + count; page++) {
                    next.want(page);
                }
            });
        }
        early.clear();
        serving = next;
    }

    /**
     * A thread waits for a page at the destination. If this comes before {@link #begin}, the page is sent then.
     *
     * @param from the connections of the request
     * @throws StreamFault if the page was never owed
     */
    synchronized void want(SourceLink from, long page) throws StreamFault {
        if (page < 0 || page >= promised.pages() || !promised.contains(page)) {
            throw new StreamFault(
                    "the destination requested page " + Long.toUnsignedString(page) + ", which is not owed to it");
        }
        Serving now = serving;
        if (now != null && now.link == from) {
            now.want(page);
            return;
        }
        if (earlyOn != from) {
            early.clear();
            earlyOn = from;
        }
        early.add(page);
    }

    /** Stops sending, and waits for its threads. */
    @Override
    public synchronized void close() {
        Serving before = serving;
        if (before != null) {
            serving = null;
            before.close();
        }
    }

    /** Sends over certain connections. */
    private final class Serving {
        private final SourceLink link;
        private final List<SenderChannel> channels;
        private final OwedPages owed;
        private final Touches touches = new Touches();
        private final PrefetchOrder order;
        /** Guards the wanted pages and {@code closed}. */
        private final Object wanted = new Object();

        private final PageBits asked = new PageBits(promised.pages());
        /** Wanted pages that no thread has taken yet. */
        private final PageBits waiting = new PageBits(promised.pages());
        /** Their order, as far as there is room. */
        private final long[] queue = new long[QUEUE];

        private int head;
        private int queued;
        private boolean overflown;
        private final List<Thread> threads = new ArrayList<>();
        private boolean closed;

        Serving(SourceLink link, List<SenderChannel> channels, PageBits owed) {
            this.link = link;
            this.channels = channels;
            this.owed = new OwedPages(owed);
            this.order =
                    new PrefetchOrder(this.owed, touches, Optional.empty(), Math.max(1, PIECE / memory.pageSize()));
            left = this.owed.left();
        }

        void start() {
            channels.getFirst().setUnlimited();
            run("migration-wanted", () -> sendWanted(channels.getFirst()));
            for (int i = 1; i < channels.size(); i++) {
                SenderChannel channel = channels.get(i);
                run("migration-owed-" + i, () -> sendOthers(channel));
            }
        }

        private interface Sending {
            void run() throws IOException;
        }

        private void run(String name, Sending sending) {
            threads.add(Thread.ofPlatform().name(name).daemon().start(() -> {
                try {
                    sending.run();
                } catch (IOException e) {
                    LOG.debug("{} ends", name, e);
                    link.fail(e);
                } catch (RuntimeException | Error e) {
                    LOG.error("internal error of exomem, please report it", e);
                    link.fail(new IOException("internal error of exomem: " + e, e));
                }
            }));
        }

        /** Guarded by the outer monitor, because touches have one writer. */
        void want(long page) {
            touches.add(page);
            synchronized (wanted) {
                if (asked.contains(page)) {
                    return;
                }
                asked.add(page);
                waiting.add(page);
                if (queued < QUEUE) {
                    queue[(head + queued) % QUEUE] = page;
                    queued++;
                } else {
                    overflown = true;
                }
                wanted.notifyAll();
            }
        }

        private void sendWanted(SenderChannel channel) throws IOException {
            Urgency.first();
            MemorySegment buffer = buffer(memory.pageSize());
            for (long page = next(); page >= 0; page = next()) {
                if (owed.contains(page)) {
                    taken(page, 1);
                    send(channel, page, 1, buffer);
                }
            }
        }

        /** The next wanted page; -1 at the end. */
        private long next() {
            synchronized (wanted) {
                while (!closed) {
                    long page = take();
                    if (page >= 0) {
                        waiting.remove(page);
                        return page;
                    }
                    try {
                        wanted.wait();
                    } catch (InterruptedException e) {
                        return -1;
                    }
                }
                return -1;
            }
        }

        /** The next wanted page; -1 if there is none. */
        private long take() {
            while (queued > 0) {
                long page = queue[head];
                head = (head + 1) % QUEUE;
                queued--;
                if (waiting.contains(page)) {
                    return page;
                }
            }
            if (overflown) {
                long page = waiting.next(0);
                if (page < waiting.pages()) {
                    return page;
                }
                overflown = false;
            }
            return -1;
        }

        private void sendOthers(SenderChannel channel) throws IOException {
            // The bandwidth limit is applied after a page, because a thread may begin to wait for a page that is being
            // sent.
            channel.setUnlimited();
            MemorySegment buffer = buffer(Math.max(PIECE, memory.pageSize()));
            while (!isClosed()) {
                long first;
                long count;
                synchronized (order) {
                    if (!order.next(true)) {
                        return;
                    }
                    first = order.first();
                    count = order.count();
                    taken(first, count);
                }
                long before = channel.sent();
                send(channel, first, count, buffer);
                channel.payFor(channel.sent() - before);
            }
        }

        private void taken(long first, long count) {
            owed.arrived(first, count);
            left = owed.left();
        }

        private void send(SenderChannel channel, long first, long count, MemorySegment buffer) throws IOException {
            int size = memory.pageSize();
            MemorySegment content = buffer.asSlice(0, count * size);
            memory.read(first, content);
            for (long from = 0; from < count; ) {
                boolean zero = isZero(content, from * size);
                long end = from + 1;
                while (end < count && isZero(content, end * size) == zero) {
                    end++;
                }
                if (zero) {
                    channel.zeros(first + from, end - from);
                } else {
                    channel.pages(first + from, content.asSlice(from * size, (end - from) * size));
                }
                from = end;
            }
            channel.flush();
        }

        private boolean isZero(MemorySegment content, long at) {
            return MemorySegment.mismatch(content, at, at + zeros.byteSize(), zeros, 0, zeros.byteSize()) < 0;
        }

        private boolean isClosed() {
            synchronized (wanted) {
                return closed;
            }
        }

        void close() {
            synchronized (wanted) {
                closed = true;
                wanted.notifyAll();
            }
            for (Thread thread : threads) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return;
                }
            }
        }
    }

    private static MemorySegment buffer(long bytes) {
        return Arena.ofAuto().allocate(bytes, Long.BYTES);
    }
}
