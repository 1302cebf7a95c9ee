package org.exomem.migration.precopy;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.CancelToken;
import org.exomem.migration.Fate;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.PageSink;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FreePageSource;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.pagesource.HoleSource;
import org.exomem.migration.pagesource.Settling;
import org.exomem.migration.pagesource.Unlogged;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class PrecopyTest {
    private static final int PAGE = 4096;
    private static final int PAGES = 4096;
    private static final long SIZE = (long) PAGE * PAGES;

    /** Time passes only when the engine waits, or a sink takes time. */
    private static final class TestTicker implements Ticker {
        long now;
        long passed;

        @Override
        public long nanoTime() {
            return now;
        }

        @Override
        public void pass(long nanos) {
            now += nanos;
            passed += nanos;
        }
    }

    private final class Control implements GuestControl {
        final List<String> calls = new ArrayList<>();

        @Override
        public void prepare() {
            calls.add("prepare");
            ticker.now += preparing;
        }

        @Override
        public void pause() throws IOException {
            calls.add("pause");
            if (pauseFails) {
                throw new IOException("can't pause");
            }
        }

        @Override
        public void resume() throws IOException {
            calls.add("resume");
            if (resumeFails) {
                throw new IOException("can't resume either");
            }
        }

        @Override
        public boolean throttle(int percent) {
            calls.add("throttle " + percent);
            return true;
        }
    }

    /** Writes received pages into the destination, at a gigabyte per second. */
    private class Sink implements PageSink {
        @Override
        public void pages(long first, MemorySegment content) {
            arrived.segment().asSlice(first * PAGE, content.byteSize()).copyFrom(content);
            ticker.now += content.byteSize();
        }

        @Override
        public void zeros(long first, long count) {
            arrived.segment().asSlice(first * PAGE, count * PAGE).fill((byte) 0);
        }

        @Override
        public void free(long first, long count) {}
    }

    private final TestTicker ticker = new TestTicker();
    private final Control control = new Control();
    private long preparing;
    private boolean pauseFails;
    private boolean resumeFails = true;
    private SharedFile source;
    private SharedFile target;
    private Mapping memory;
    private Mapping arrived;
    private MemoryImage image;

    @BeforeEach
    void makeMemory() throws IOException {
        source = SharedFile.memfd("source", SIZE);
        target = SharedFile.memfd("target", SIZE);
        memory = Mapping.of(source, 0, SIZE);
        arrived = Mapping.of(target, 0, SIZE);
        image = new MemoryImage(
                List.of(new ImageFile("ram", new SharedFile(source.fd().duplicate()))));
    }

    @AfterEach
    void close() {
        image.close();
        arrived.close();
        memory.close();
        target.close();
        source.close();
    }

    private void fill(long first, long count) {
        Random random = new Random(first);
        for (long at = first * PAGE; at < (first + count) * PAGE; at += Long.BYTES) {
            memory.segment().set(JAVA_LONG, at, random.nextLong());
        }
    }

    private final CancelToken cancel = new CancelToken();

    private Precopy precopy(DirtySource dirty, HintSessions hints, PrecopyOptions options) {
        return new Precopy(
                new MigrationSource(image, List.of(dirty), List.of(new HoleSource(image)), hints, control),
                new Destination(List.of(new Sink()), () -> {}),
                options,
                progress -> {},
                cancel,
                means(1L << 30, 64L << 20));
    }

    private Precopy.Means means(long assumedRate, long worthHints) {
        return new Precopy.Means(
                ticker,
                Precopy.Means.REAL.buffers(),
                couriers -> new InlineCrew(couriers.getFirst()),
                assumedRate,
                worthHints);
    }

    private static final DirtySource NOTHING = into -> {};

    @Test
    @Timeout(180)
    @Tag("MIG-HOLE-1")
    @Tag("MIG-DIRTY-5")
    void memoryOfARealFileArrivesOverSeveralThreadsAndItsHolesStay() throws IOException {
        fill(100, 1000);
        memory.segment().asSlice(50 * PAGE, 10 * PAGE).fill((byte) 0);
        memory.segment().set(JAVA_LONG, SIZE - 8, 1);
        long allocated = source.allocatedBytes();
        Report report = new Precopy(
                        new MigrationSource(
                                image,
                                List.of(new Unlogged()),
                                List.of(new HoleSource(image)),
                                HintSessions.NONE,
                                control),
                        new Destination(List.of(new Sink(), new Sink()), () -> {}),
                        PrecopyOptions.DEFAULT,
                        progress -> {},
                        cancel)
                .run();

        // Before this test itself reads the mapping, which allocates memory.
        assertThat(source.allocatedBytes()).isEqualTo(allocated);
        assertThat(memory.segment().mismatch(arrived.segment())).isEqualTo(-1);
        assertThat(report.pages(Fate.SENT)).isEqualTo(1001);
        assertThat(report.pages(Fate.ZERO) + report.pages(Fate.HOLE)).isEqualTo(PAGES - 1001);
        assertThat(report.pages(Fate.HOLE)).isPositive();
        assertThat(report.sentBytes()).isEqualTo(1001 * PAGE);
        assertThat(report.resent()).isZero();
        assertThat(control.calls).containsExactly("prepare", "pause");
    }

    @Test
    @Tag("MIG-ROUND-6")
    void aDriverThatIsSilentCostsATwentyFifthOfTheTimeAtMost() throws IOException {
        fill(0, PAGES);
        HintSessions silent = new HintSessions() {
            @Override
            public void begin() {}

            @Override
            public void end() {}
        };
        precopy(NOTHING, silent, PrecopyOptions.DEFAULT).run();
        assertThat(ticker.passed).isBetween(1L, SIZE / 25 + 1_000_000);
    }

    /** Guesses that the second half of memory is free, and is certain of it at one of the pauses. */
    private static final class Guessing implements FreePageSource {
        private int pausesToGo;
        private boolean due;

        Guessing(int pausesToGo) {
            this.pausesToGo = pausesToGo;
        }

        @Override
        public Fate fate() {
            return Fate.SETTLED;
        }

        @Override
        public boolean isGuess() {
            return pausesToGo != 0;
        }

        @Override
        public Settling settle() {
            pausesToGo--;
            return pausesToGo < 0 ? Settling.NEVER : pausesToGo == 0 ? Settling.CERTAIN : Settling.NOT_NOW;
        }

        @Override
        public void synced() {
            due = true;
        }

        @Override
        public boolean collect(PageBits free, PageBits wanted) {
            boolean any = due;
            due = false;
            if (any) {
                free.add(PAGES / 2, PAGES / 2);
            }
            return any;
        }
    }

    private Report settledAfter(int pauses) throws IOException {
        fill(0, PAGES);
        resumeFails = false;
        return new Precopy(
                        new MigrationSource(
                                image,
                                List.of(new Unlogged()),
                                List.of(new Guessing(pauses)),
                                HintSessions.NONE,
                                control),
                        new Destination(List.of(new Sink()), () -> {}),
                        PrecopyOptions.DEFAULT,
                        progress -> {},
                        cancel,
                        means(1L << 30, 64L << 20))
                .run();
    }

    @Test
    @Tag("MIG-SETTLE-1")
    @Tag("MIG-SETTLE-2")
    void whatIsSettledAtThePauseIsNeverSent() throws IOException {
        Report report = settledAfter(1);
        assertThat(report.pages(Fate.SENT)).isEqualTo(PAGES / 2);
        assertThat(report.pages(Fate.SETTLED)).isEqualTo(PAGES / 2);
        assertThat(control.calls).containsExactly("prepare", "pause");
    }

    @Test
    @Tag("MIG-SETTLE-3")
    @Tag("FPB-DESC-6")
    void aGuestThatHoldsALockRunsOnForAMomentAndIsPausedAgain() throws IOException {
        Report report = settledAfter(3);
        assertThat(report.pages(Fate.SETTLED)).isEqualTo(PAGES / 2);
        assertThat(control.calls).containsExactly("prepare", "pause", "resume", "pause", "resume", "pause");
        assertThat(ticker.passed).isEqualTo(2_000_000);
    }

    @Test
    @Tag("MIG-SETTLE-3")
    void whatIsNeverSettledIsSentBeforeThePauseThatCounts() throws IOException {
        Report report = settledAfter(100);
        assertThat(report.pages(Fate.SENT)).isEqualTo(PAGES);
        assertThat(report.downtime()).isLessThan(Duration.ofMillis(1));
        assertThat(control.calls).filteredOn("pause"::equals).hasSize(17);
        assertThat(control.calls).endsWith("resume", "pause");
    }

    @Test
    @Tag("MIG-SETTLE-3")
    void whatCannotBeSettledAnyMoreIsSentAtOnce() throws IOException {
        Report report = settledAfter(-1);
        assertThat(report.pages(Fate.SENT)).isEqualTo(PAGES);
        assertThat(control.calls).containsExactly("prepare", "pause", "resume", "pause");
    }

    /** Hints pages in order while a session is open, each of them once after each sync. */
    private final class Hinting implements FreePageSource, HintSessions {
        private final long pages;
        private final long nanosPerPage;
        private long since = -1;
        private int begun;
        private int ended;
        private long told;
        /** All hints of a session come at once, and the session ends. */
        private boolean isOver;

        Hinting(long pages, long nanosPerPage) {
            this.pages = pages;
            this.nanosPerPage = nanosPerPage;
        }

        @Override
        public void begin() {
            begun++;
            since = ticker.now;
        }

        @Override
        public void end() {
            ended++;
            since = -1;
        }

        @Override
        public Fate fate() {
            return Fate.HINTED;
        }

        @Override
        public boolean isHint() {
            return true;
        }

        @Override
        public boolean hintsHaveEnded() {
            return isOver && since >= 0;
        }

        @Override
        public void synced() {
            told = 0;
        }

        @Override
        public boolean collect(PageBits free, PageBits wanted) {
            if (since < 0) {
                return false;
            }
            long now = nanosPerPage == 0 ? pages : Math.min(pages, (ticker.now - since) / nanosPerPage);
            if (now <= told) {
                return false;
            }
            free.add(told, now - told);
            told = now;
            return true;
        }
    }

    /** At a gigabyte in a second: a page takes as many nanoseconds as it has bytes. */
    private Report migrateWith(Hinting hinting) throws IOException {
        return migrateWith(hinting, PrecopyOptions.DEFAULT);
    }

    private Report migrateWith(Hinting hinting, PrecopyOptions options) throws IOException {
        return new Precopy(
                        new MigrationSource(image, List.of(NOTHING), List.of(hinting), hinting, control),
                        new Destination(List.of(new Sink()), () -> {}),
                        options,
                        progress -> {},
                        cancel,
                        means(1_000_000_000, 64L << 20))
                .run();
    }

    @Test
    @Tag("MIG-ROUND-6")
    void hintsThatAreWorthMoreAreWaitedForWhereTheyComeMoreSlowly() throws IOException {
        fill(0, PAGES);
        Report report = migrateWith(new Hinting(PAGES, 15 * PAGE), PrecopyOptions.DEFAULT.withHintWorth(20));
        assertThat(report.pages(Fate.HINTED)).isEqualTo(PAGES);
        assertThat(report.sentBytes()).isZero();
    }

    @Test
    @Tag("MIG-ROUND-6")
    void hintsThatComeAtMoreThanHalfTheSpeedOfTheNetworkAreWaitedForToTheLastOne() throws IOException {
        fill(0, PAGES);
        Report report = migrateWith(new Hinting(PAGES, 3 * PAGE / 2));
        assertThat(report.pages(Fate.HINTED)).isEqualTo(PAGES);
        assertThat(report.sentBytes()).isZero();
    }

    @Test
    @Tag("MIG-ROUND-6")
    void nothingIsWaitedForOnceTheSessionHasEnded() throws IOException {
        fill(0, PAGES);
        Hinting answered = new Hinting(PAGES / 2, 0);
        answered.isOver = true;
        Report report = migrateWith(answered);
        assertThat(ticker.passed).isZero();
        assertThat(report.pages(Fate.HINTED)).isEqualTo(PAGES / 2);
    }

    @Test
    @Tag("MIG-ROUND-6")
    void hintsThatComeSlowerThanThatAreNotWaitedFor() throws IOException {
        fill(0, PAGES);
        migrateWith(new Hinting(PAGES, 5 * PAGE / 2));
        assertThat(ticker.passed).as("some ms, of 100 until the last one").isLessThan(10_000_000);
    }

    @Test
    @Tag("MIG-ROUND-7")
    void guestThatHadWrittenWhatItHintedIsNotAskedAgain() throws IOException {
        fill(0, PAGES);
        Hinting clears = new Hinting(PAGES, 0);
        int[] syncs = {0};
        Report report = new Precopy(
                        new MigrationSource(
                                image,
                                List.of((DirtySource) into -> {
                                    syncs[0]++;
                                    // The hints of the first session.
                                    if (syncs[0] == 2) {
                                        into.addAll();
                                    }
                                }),
                                List.of(clears),
                                clears,
                                control),
                        new Destination(List.of(new Sink()), () -> {}),
                        PrecopyOptions.DEFAULT.withDowntimeLimit(Duration.ofNanos(1)),
                        progress -> {},
                        cancel,
                        means(1L << 30, PAGE))
                .run();
        assertThat(clears.begun).isEqualTo(1);
        assertThat(clears.ended).isEqualTo(1);
        assertThat(report.pages(Fate.SENT)).isEqualTo(PAGES);
    }

    @Test
    void aGuestThatWritesFasterThanItsPagesTravelIsSlowedDownAndRunsFreelyInTheEnd() throws IOException {
        fill(0, PAGES);
        precopy(PageBits::addAll, HintSessions.NONE, PrecopyOptions.DEFAULT.withDowntimeLimit(Duration.ofNanos(1)))
                .run();
        assertThat(control.calls).containsExactly("prepare", "pause");
        control.calls.clear();

        long[] round = {1};
        DirtySource writing = into -> {
            round[0]++;
            for (long page = 0; page < PAGES; page++) {
                memory.segment().set(JAVA_LONG, page * PAGE, round[0]);
            }
            into.addAll();
        };
        Report report = precopy(
                        writing,
                        HintSessions.NONE,
                        PrecopyOptions.DEFAULT
                                .withDowntimeLimit(Duration.ofNanos(1))
                                .withAutoConverge(true))
                .run();
        assertThat(control.calls).startsWith("throttle 20", "throttle 30").endsWith("prepare", "pause", "throttle 0");
        assertThat(report.throttle()).isEqualTo(99);
        assertThat(report.inLimit()).isFalse();
        assertThat(report.resent()).isPositive();
    }

    @Test
    void aPreparationThatTakesTimeIsFollowedByARoundWhileTheGuestRuns() throws IOException {
        fill(0, 16);
        Report swift =
                precopy(NOTHING, HintSessions.NONE, PrecopyOptions.DEFAULT).run();
        preparing = 2_000_000_000;
        Report slow =
                precopy(NOTHING, HintSessions.NONE, PrecopyOptions.DEFAULT).run();
        assertThat(slow.rounds()).isEqualTo(swift.rounds() + 1);
        assertThat(slow.downtime()).isLessThan(Duration.ofMillis(1));
    }

    @Test
    void aPauseThatFailsIsUndoneAndBothReasonsAreTold() {
        pauseFails = true;
        assertThatThrownBy(() -> precopy(NOTHING, HintSessions.NONE, PrecopyOptions.DEFAULT)
                        .run())
                .hasMessage("can't pause")
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
        assertThat(control.calls).containsExactly("prepare", "pause", "resume");
    }

    @Test
    @Timeout(180)
    void aSinkThatFailsInItsThreadEndsTheMigrationAndTheGuestWasNeverPaused() {
        fill(0, PAGES);
        Sink failing = new Sink() {
            @Override
            public void pages(long first, MemorySegment content) {
                throw new IllegalStateException("no room at page " + first);
            }
        };
        Precopy precopy = new Precopy(
                new MigrationSource(image, List.of(NOTHING), List.of(), HintSessions.NONE, control),
                new Destination(List.of(new Sink(), failing), () -> {}),
                PrecopyOptions.DEFAULT,
                progress -> {},
                cancel);
        assertThatThrownBy(precopy::run).hasMessageStartingWith("no room at page");
        assertThat(control.calls).isEmpty();
    }

    @Test
    @Tag("MIG-SKIP-1")
    void whereNobodyTellsOfWritesHintedPagesAreSentLast() throws IOException {
        fill(0, 1000);
        List<Long> sent = new ArrayList<>();
        Sink ordered = new Sink() {
            @Override
            public void pages(long first, MemorySegment content) {
                sent.add(first);
                super.pages(first, content);
            }
        };
        Hinting hinted = new Hinting(64, 0);
        hinted.begin();
        new Precopy(
                        new MigrationSource(
                                image, List.of(new Unlogged()), List.of(hinted), HintSessions.NONE, control),
                        new Destination(List.of(ordered), () -> {}),
                        PrecopyOptions.DEFAULT.withMaxRounds(1),
                        progress -> {},
                        cancel,
                        means(1L << 30, 64L << 20))
                .run();
        assertThat(sent.getLast()).isZero();
        assertThat(sent.getFirst()).isEqualTo(64);
        assertThat(memory.segment().mismatch(arrived.segment())).isEqualTo(-1);
    }

    @Test
    void aMigrationThatIsCancelledAtOnceSendsNothing() {
        fill(0, 16);
        Precopy precopy = precopy(NOTHING, HintSessions.NONE, PrecopyOptions.DEFAULT);
        assertThat(cancel.cancel()).isTrue();
        assertThatThrownBy(precopy::run).isInstanceOf(MigrationCancelledException.class);
        assertThat(arrived.segment().get(JAVA_LONG, 0)).isZero();
    }
}
