package org.exomem.migration.precopy;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.ReentrantLock;
import org.exomem.migration.CancelToken;
import org.exomem.migration.Chance;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.Fate;
import org.exomem.migration.GuestPages;
import org.exomem.migration.PageSink;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FeedSource;
import org.exomem.migration.pagesource.FreePageSource;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.pagesource.SharedLog;
import org.exomem.migration.pagesource.Unlogged;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A guest, a device's event loop, the engine and its workers, each with a thread: repeated migrations of the same
 * guest.
 */
class RealThreadsTest {
    private static final int RUNS = Integer.getInteger("exomem.threads.runs", 3000);
    private static final int PAGES = 300;
    private static final int PAGE_BYTES = 64;
    private static final long GUEST_PAGE = 4096;

    private static final class Memory implements GuestPages {
        private final MemorySegment bytes = Arena.ofAuto().allocate(PAGES * PAGE_BYTES, 8);

        @Override
        public long pages() {
            return PAGES;
        }

        @Override
        public int pageSize() {
            return PAGE_BYTES;
        }

        @Override
        public long nextData(long from) {
            return from;
        }

        @Override
        public long nextHole(long from) {
            return PAGES;
        }

        @Override
        public void read(long first, MemorySegment into) {
            into.copyFrom(bytes.asSlice(first * PAGE_BYTES, into.byteSize()));
        }

        long word(int page, int word) {
            return bytes.getAtIndex(JAVA_LONG, page * (PAGE_BYTES / 8) + word);
        }
    }

    private static final class Sink implements PageSink {
        private final Memory destination;
        private final Way way;
        /** If one connection is lost, all are lost. */
        private final AtomicBoolean lost;

        Sink(Memory destination, AtomicBoolean lost, long seed) {
            this.destination = destination;
            this.way = new Way(new Chance(seed), 10);
            this.lost = lost;
        }

        private interface Use {
            void of(Way way) throws ConnectionLostException;
        }

        private void use(Use use) throws ConnectionLostException {
            if (lost.get()) {
                throw new ConnectionLostException("lost", null);
            }
            try {
                use.of(way);
            } catch (ConnectionLostException e) {
                lost.set(true);
                throw e;
            }
        }

        @Override
        public void pages(long first, MemorySegment content) throws ConnectionLostException {
            MemorySegment copy = MemorySegment.ofArray(content.toArray(JAVA_LONG));
            use(way -> way.send(() -> part(first, copy.byteSize()).copyFrom(copy)));
        }

        @Override
        public void zeros(long first, long count) throws ConnectionLostException {
            use(way -> way.send(() -> part(first, count * PAGE_BYTES).fill((byte) 0)));
        }

        private MemorySegment part(long first, long bytes) {
            return destination.bytes.asSlice(first * PAGE_BYTES, bytes);
        }

        @Override
        public void free(long first, long count) {}
    }

    /** Two sinks over a connection that is lost at times. */
    private static final class Connection {
        private final AtomicBoolean lost = new AtomicBoolean();
        private final List<Sink> sinks;
        int reconnections;

        Connection(Memory destination, long seed) {
            this.sinks = List.of(new Sink(destination, lost, 2 * seed), new Sink(destination, lost, 2 * seed + 1));
        }

        private void endRound() throws ConnectionLostException {
            for (Sink sink : sinks) {
                sink.use(Way::barrier);
            }
        }

        private long reconnect(ConnectionLostException why) {
            sinks.forEach(sink -> sink.way.lose());
            lost.set(false);
            reconnections++;
            return sinks.getLast().way.barriers();
        }

        Destination destination() {
            return new Destination(sinks, this::endRound, this::reconnect, Promise.NONE);
        }
    }

    /** The guest's thread owns the knowledge of which pages are needed. The event loop owns the device. */
    private static final class Guest implements GuestControl, HintSessions, AutoCloseable {
        private static final VarHandle LONG = JAVA_LONG.varHandle();
        private static final int USED = 0;
        private static final int ON_ITS_WAY = 1;
        private static final int IN_BALLOON = 2;

        final Memory memory = new Memory();
        final MemorySegment log = Arena.ofAuto().allocate((PAGES + 63) / 64 * 8L, 8);
        final boolean[] matters = new boolean[PAGES];
        final PageFeed feed = new PageFeed();
        private final AtomicIntegerArray uses = new AtomicIntegerArray(PAGES);
        private final ExecutorService loop = Executors.newSingleThreadExecutor();
        private final Thread thread = new Thread(this::live);
        private final boolean[] inBalloon = new boolean[PAGES];
        private volatile int shownId;
        private int id;
        /** While a thread holds this lock, the guest does nothing. */
        private final ReentrantLock running = new ReentrantLock(true);

        private volatile boolean ended;
        private long value;

        Guest() {
            feed.add(() -> listener -> {
                for (int p = 0; p < PAGES; p++) {
                    if (inBalloon[p]) {
                        listener.pages(Kind.INFLATED, 0, p * GUEST_PAGE, GUEST_PAGE);
                    }
                }
                return false;
            });
            thread.start();
        }

        private void live() {
            Chance chance = new Chance(42);
            while (!ended) {
                running.lock();
                try {
                    act(chance);
                } finally {
                    running.unlock();
                }
            }
        }

        private void act(Chance chance) {
            int page = chance.below(PAGES);
            int use = uses.get(page);
            switch (chance.below(8)) {
                case 0, 1, 2 -> {
                    if (use == USED) {
                        write(page, chance.oneIn(8) ? 0 : ++value);
                    }
                }
                case 3, 4 -> hint(page);
                case 5 -> {
                    if (use == USED) {
                        matters[page] = false;
                        uses.set(page, ON_ITS_WAY);
                        loop.execute(() -> putIn(page));
                    }
                }
                case 6 -> {
                    if (use == IN_BALLOON) {
                        uses.set(page, ON_ITS_WAY);
                        loop.execute(() -> takeOut(page));
                    }
                }
                default -> Thread.onSpinWait();
            }
        }

        private void write(int page, long content) {
            matters[page] = true;
            for (int i = 0; i < PAGE_BYTES / 8; i++) {
                memory.bytes.setAtIndex(JAVA_LONG, page * (PAGE_BYTES / 8) + i, content);
            }
            LONG.getAndBitwiseOrRelease(log, page / 64 * 8L, 1L << page);
        }

        private void hint(int page) {
            int under = shownId;
            if (under != 0 && uses.get(page) == USED) {
                matters[page] = false;
                loop.execute(() -> {
                    if (shownId == under) {
                        feed.offer(Kind.HINTED, under, page * GUEST_PAGE, GUEST_PAGE);
                    }
                });
            }
        }

        private void putIn(int page) {
            inBalloon[page] = true;
            feed.offer(Kind.INFLATED, 0, page * GUEST_PAGE, GUEST_PAGE);
            uses.set(page, IN_BALLOON);
        }

        private void takeOut(int page) {
            inBalloon[page] = false;
            feed.offer(Kind.DEFLATED, 0, page * GUEST_PAGE, GUEST_PAGE);
            uses.set(page, USED);
        }

        <T> T onLoop(Callable<T> task) throws Exception {
            return loop.submit(task).get();
        }

        @Override
        public void begin() {
            loop.execute(() -> {
                endNow();
                id++;
                feed.offer(Kind.HINTING_STARTED, id, 0, 0);
                shownId = id;
            });
        }

        @Override
        public void end() {
            loop.execute(this::endNow);
        }

        private void endNow() {
            if (shownId != 0) {
                shownId = 0;
                feed.offer(Kind.HINTING_ENDED, id, 0, 0);
            }
        }

        @Override
        public void pause() {
            running.lock();
        }

        @Override
        public void resume() {
            running.unlock();
        }

        @Override
        public void close() throws InterruptedException {
            ended = true;
            thread.join();
            loop.shutdown();
        }
    }

    private static PageSubscription subscribe(Guest guest, Set<Kind> kinds) throws Exception {
        return guest.onLoop(() -> guest.feed.subscribe(kinds, 1 << 12));
    }

    @Test
    @Timeout(600)
    void migrationAfterMigrationLosesNoPageThatAnybodyNeeds() throws Exception {
        AddressMap map = new AddressMap(List.of(new AddressMap.Range(0, PAGES * GUEST_PAGE, 0)));
        long[] fates = new long[Fate.values().length];
        int reconnections = 0;
        try (Guest guest = new Guest()) {
            for (int run = 0; run < RUNS; run++) {
                Memory destination = new Memory();
                Connection connection = new Connection(destination, run);
                DirtySource dirty = run % 3 == 0 ? new Unlogged() : new SharedLog(guest.log, map, PAGES);
                PrecopyOptions options = PrecopyOptions.DEFAULT
                        .withMaxRounds(1 + run % 4)
                        .withDowntimeLimit(Duration.ZERO)
                        .withHintedPages(run % 2 == 0 ? HintedPages.SEND : HintedPages.SKIP_UNCHANGED)
                        .withPatience(Duration.ZERO);
                try (PageSubscription hints = subscribe(guest, FreeReason.HINTED.kinds());
                        PageSubscription balloon = subscribe(guest, FreeReason.BALLOON.kinds())) {
                    List<FreePageSource> free = new ArrayList<>();
                    free.add(new FeedSource(FreeReason.HINTED, hints, map, PAGES));
                    free.add(new FeedSource(FreeReason.BALLOON, balloon, map, PAGES));
                    Report report = new Precopy(
                                    new MigrationSource(guest.memory, List.of(dirty), free, guest, guest),
                                    connection.destination(),
                                    options,
                                    progress -> {},
                                    new CancelToken())
                            .run();
                    reconnections += connection.reconnections;
                    report.pages().forEach((fate, pages) -> fates[fate.ordinal()] += pages);
                }
                for (int p = 0; p < PAGES; p++) {
                    for (int w = 0; guest.matters[p] && w < PAGE_BYTES / 8; w++) {
                        assertThat(destination.word(p, w))
                                .as("run %s, page %s, word %s", run, p, w)
                                .isEqualTo(guest.memory.word(p, w));
                    }
                }
                guest.resume();
            }
        }
        assertThat(reconnections).isGreaterThan(RUNS / 4);
        for (Fate fate : List.of(Fate.SENT, Fate.ZERO, Fate.HINTED, Fate.BALLOON)) {
            assertThat(fates[fate.ordinal()]).as(fate.name()).isPositive();
        }
    }
}
