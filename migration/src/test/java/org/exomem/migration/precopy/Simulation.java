package org.exomem.migration.precopy;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.exomem.migration.CancelToken;
import org.exomem.migration.Chance;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.Fate;
import org.exomem.migration.Fingerprint;
import org.exomem.migration.GuestPages;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.PageSink;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pagesource.DescriptorSource;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FeedSource;
import org.exomem.migration.pagesource.FreePageSource;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.pagesource.HoleSource;
import org.exomem.migration.pagesource.Settling;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;
import org.jspecify.annotations.Nullable;

/**
 * One migration of a tiny guest, on one thread and under one seed. At each call of the engine, the world continues
 * first, and the call may fail. At the end the destination is compared with the source.
 */
final class Simulation implements GuestPages, PageSink, GuestControl, HintSessions, Ticker {
    /** The result. */
    enum Outcome {
        MIGRATED,
        FAILED,
        CANCELLED,
        /** The connection was lost, and did not come back. */
        LOST
    }

    private static final int PAGE_BYTES = World.WORDS_IN_PAGE * Long.BYTES;
    private static final Fingerprint FINGERPRINT = new Fingerprint(new byte[Fingerprint.SEED_BYTES], PAGE_BYTES);

    private static final class InjectedFailure extends IOException {
        private static final long serialVersionUID = 1L;

        InjectedFailure(int call) {
            super("call " + call + " fails", null);
        }

        @Override
        public Throwable fillInStackTrace() {
            return this;
        }
    }

    private final Chance chance;
    private final Mutant mutant;
    private final World world;
    private final boolean blind;
    private final boolean asksForHints;
    private final HintedPages hintedPages;
    private final long[] destination;
    private final boolean[] freed;
    private final Way way;
    private final CancelToken cancel = new CancelToken();
    private final Precopy precopy;
    private final List<FreePageSource> sources = new ArrayList<>();
    private final int failingCall;
    private final int cancellingCall;
    private int calls;
    private long time;
    private boolean gaveUp;
    int reconnections;

    @Nullable
    Report report;

    /** A value that no guest writes. */
    private static final long GONE = -1;
    /** The number of pages that were owed when the guest left. */
    long owed;

    private final PageBits promised;
    private boolean hasPromised;
    private final boolean switchesOver;

    Simulation(long seed, Mutant mutant) {
        this.chance = new Chance(seed);
        this.mutant = mutant;
        this.blind = !EnumSet.of(Mutant.FETCH_THEN_CLEAR, Mutant.NO_LAST_SYNC, Mutant.EARLY_WRITES_FORGOTTEN)
                                .contains(mutant)
                        && chance.oneIn(3)
                || mutant == Mutant.HINTED_BEFORE_LOOKING;
        this.hintedPages = chance.oneIn(2) || mutant == Mutant.HINTED_BEFORE_LOOKING
                ? HintedPages.SKIP_UNCHANGED
                : HintedPages.SEND;
        this.world = new World(chance, mutant, !blind);
        this.asksForHints = chance.below(4) > 0;
        this.destination = new long[world.memory.length];
        this.freed = new boolean[world.pages];
        this.promised = new PageBits(world.pages);
        this.way = new Way(chance, chance.oneIn(3) ? 1 + chance.below(24) : 0);
        this.failingCall = chance.oneIn(4) ? 1 + chance.below(120) : -1;
        this.cancellingCall = chance.oneIn(8) ? 1 + chance.below(120) : -1;
        addSources();
        PrecopyOptions options = new PrecopyOptions(
                Duration.ofNanos(chance.below(3)),
                1 + chance.below(4),
                chance.oneIn(2),
                hintedPages,
                Duration.ofNanos(chance.oneIn(4) ? 0 : 5_000_000),
                1 + chance.below(20),
                switchOver());
        this.switchesOver = options.switchOver().isPresent();
        this.precopy = new Precopy(
                new MigrationSource(this, dirtySources(), sources, asksForHints ? this : HintSessions.NONE, this),
                new Destination(List.of(this), this::endRound, this::reconnect, this::promise),
                options,
                progress -> {},
                cancel,
                new Precopy.Means(
                        this,
                        bytes -> MemorySegment.ofArray(new long[(int) bytes / Long.BYTES]),
                        couriers -> new InlineCrew(couriers.getFirst()),
                        // A page takes 32 s, or 320 us or less: so the engine waits until no hints come, or for a few
                        // of them.
                        chance.oneIn(8) ? 1 : 40_000,
                        // Each hint is worth the wait.
                        0));
    }

    private Optional<SwitchOver> switchOver() {
        return chance.oneIn(4)
                ? Optional.of(new SwitchOver(chance.below(4), Duration.ofNanos(chance.below(2_000))))
                : Optional.empty();
    }

    Simulation traced() {
        world.trace = new StringBuilder();
        return this;
    }

    private void addSources() {
        int pages = world.pages;
        AddressMap map = new AddressMap(List.of(new AddressMap.Range(0, pages * World.PAGE, 0)));
        boolean brokenHints = EnumSet.of(
                        Mutant.START_NOT_CHECKED,
                        Mutant.END_NOT_CHECKED,
                        Mutant.LOSSES_IGNORED,
                        Mutant.EARLY_LOSSES_IGNORED,
                        Mutant.HINTED_BEFORE_LOOKING)
                .contains(mutant);
        boolean brokenBalloon = EnumSet.of(Mutant.LOSSES_IGNORED, Mutant.EARLY_LOSSES_IGNORED, Mutant.RESET_IGNORED)
                .contains(mutant);
        if (chance.below(8) > 0) {
            PageSubscription hints = subscribe(FreeReason.HINTED.kinds(), !brokenHints && chance.oneIn(2));
            sources.add(
                    brokenHints
                            ? new BrokenSource(Fate.HINTED, mutant, hints, pages)
                            : new FeedSource(FreeReason.HINTED, hints, map, pages));
        }
        if (chance.below(3) > 0) {
            PageSubscription balloon = subscribe(FreeReason.BALLOON.kinds(), !brokenBalloon && chance.oneIn(2));
            sources.add(
                    brokenBalloon
                            ? new BrokenSource(Fate.BALLOON, mutant, balloon, pages)
                            : new FeedSource(FreeReason.BALLOON, balloon, map, pages));
        }
        if (chance.below(3) > 0) {
            sources.add(
                    new FeedSource(FreeReason.UNPLUGGED, subscribe(FreeReason.UNPLUGGED.kinds(), false), map, pages));
        }
        if (chance.oneIn(2)) {
            sources.add(new HoleSource(this));
        }
        if (world.allocator != null && (Mutant.OF_DESCRIPTORS.contains(mutant) || chance.below(4) > 0)) {
            sources.add(descriptors(new DescriptorSource(this, map, world.allocator::descriptors)));
        }
        if (sources.size() > 1 && chance.oneIn(2)) {
            Collections.shuffle(sources, new Random(chance.next()));
        }
        if (mutant == Mutant.DRAIN_BEFORE_SYNC) {
            sources.replaceAll(DrainedBeforeSync::new);
        }
    }

    private FreePageSource descriptors(DescriptorSource source) {
        return switch (mutant) {
            case LOCK_NOT_LOOKED_AT -> new TrustedDescriptors(source, false);
            case GUESS_TAKEN_FOR_CERTAIN -> new TrustedDescriptors(source, true);
            default -> source;
        };
    }

    /** A source that ignores the guards. */
    private static final class TrustedDescriptors implements FreePageSource {
        private final DescriptorSource source;
        private boolean trusted;

        TrustedDescriptors(DescriptorSource source, boolean always) {
            this.source = source;
            this.trusted = always;
        }

        @Override
        public Fate fate() {
            return source.fate();
        }

        @Override
        public boolean isGuess() {
            return !trusted;
        }

        @Override
        public Settling settle() {
            trusted = true;
            return Settling.CERTAIN;
        }

        @Override
        public void synced() {
            source.synced();
        }

        @Override
        public boolean collect(PageBits free, PageBits wanted) throws IOException {
            return source.collect(free, wanted);
        }
    }

    /** Subscribes some time before the source reads, because connecting takes time. */
    private PageSubscription subscribe(Set<Kind> kinds, boolean all) {
        PageSubscription subscription = world.subscribe(all ? Set.of() : kinds);
        for (int i = chance.oneIn(4) ? chance.below(20) : 0; i > 0; i--) {
            world.step();
        }
        return subscription;
    }

    private List<DirtySource> dirtySources() {
        List<DirtySource> dirty = new ArrayList<>();
        if (mutant == Mutant.DRAIN_BEFORE_SYNC) {
            dirty.add(into -> sources.forEach(source -> ((DrainedBeforeSync) source).drain()));
        }
        dirty.add(new Log(world.logs[0]));
        dirty.add(blind ? new Blind() : new Log(world.logs[1]));
        return dirty;
    }

    private static final class DrainedBeforeSync implements FreePageSource {
        private final FreePageSource source;

        DrainedBeforeSync(FreePageSource source) {
            this.source = source;
        }

        void drain() {
            source.synced();
        }

        @Override
        public Fate fate() {
            return source.fate();
        }

        @Override
        public boolean isHint() {
            return source.isHint();
        }

        @Override
        public boolean isGuess() {
            return source.isGuess();
        }

        @Override
        public Settling settle() throws IOException {
            return source.settle();
        }

        @Override
        public void guessLess() {
            source.guessLess();
        }

        @Override
        public void synced() {}

        @Override
        public boolean collect(PageBits free, PageBits wanted) throws IOException {
            return source.collect(free, wanted);
        }
    }

    private final class Blind implements DirtySource {
        @Override
        public void sync(PageBits into) {
            world.step();
            into.addAll();
        }

        @Override
        public boolean isBlind() {
            return true;
        }
    }

    private final class Log implements DirtySource {
        private final long[] words;

        Log(long[] words) {
            this.words = words;
        }

        @Override
        public void sync(PageBits into) {
            if (world.paused && mutant == Mutant.NO_LAST_SYNC) {
                return;
            }
            for (int i = 0; i < words.length; i++) {
                world.step();
                into.orWord(i, words[i]);
                if (mutant == Mutant.FETCH_THEN_CLEAR) {
                    world.step();
                }
                words[i] = 0;
            }
            world.step();
        }

        @Override
        public boolean mayTellEarly() {
            return world.direct && mutant != Mutant.EARLY_WRITES_FORGOTTEN;
        }
    }

    /** A call that may fail. */
    private void call() throws IOException {
        world.step();
        calls++;
        if (calls == cancellingCall) {
            cancel.cancel();
        }
        if (calls == failingCall) {
            throw new InjectedFailure(calls);
        }
    }

    @Override
    public long pages() {
        return world.pages;
    }

    @Override
    public int pageSize() {
        return PAGE_BYTES;
    }

    @Override
    public long nextData(long from) throws IOException {
        return next(from, false);
    }

    @Override
    public long nextHole(long from) throws IOException {
        return next(from, true);
    }

    private long next(long from, boolean hole) throws IOException {
        call();
        int page = (int) from;
        while (page < world.pages && world.hole[page] != hole) {
            page++;
        }
        return page;
    }

    @Override
    public void read(long first, MemorySegment into) throws IOException {
        call();
        int words = (int) (into.byteSize() / Long.BYTES);
        int from = (int) first * World.WORDS_IN_PAGE;
        for (int i = 0; i < words; i++) {
            if (chance.oneIn(4)) {
                world.step();
            }
            into.setAtIndex(JAVA_LONG, i, world.memory[from + i]);
        }
    }

    @Override
    public void pages(long first, MemorySegment content) throws IOException {
        call();
        int words = (int) (content.byteSize() / Long.BYTES);
        int from = (int) first * World.WORDS_IN_PAGE;
        long[] copy = new long[words];
        for (int i = 0; i < words; i++) {
            copy[i] = mutant == Mutant.READ_TWICE ? world.memory[from + i] : content.getAtIndex(JAVA_LONG, i);
        }
        way.send(() -> System.arraycopy(copy, 0, destination, from, words));
    }

    @Override
    public void zeros(long first, long count) throws IOException {
        call();
        int from = (int) first * World.WORDS_IN_PAGE;
        int to = (int) (first + count) * World.WORDS_IN_PAGE;
        way.send(() -> Arrays.fill(destination, from, to, 0));
    }

    @Override
    public void free(long first, long count) throws IOException {
        call();
        way.send(() -> Arrays.fill(freed, (int) first, (int) (first + count), true));
    }

    private void endRound() throws IOException {
        verify(!hasPromised, "a round after pages were promised", -1);
        call();
        way.barrier();
    }

    /** The destination discards the promised pages. The guest runs on for a while. */
    private void promise(PageBits pages) throws IOException {
        verify(!world.paused, "the guest is paused before the destination listens", -1);
        hasPromised = true;
        promised.copyOf(pages);
        pages.forEachRun((first, count) -> {
            int from = (int) first * World.WORDS_IN_PAGE;
            Arrays.fill(destination, from, from + (int) count * World.WORDS_IN_PAGE, GONE);
        });
        for (int steps = chance.below(40); steps >= 0; steps--) {
            call();
        }
    }

    private long reconnect(ConnectionLostException lost) throws IOException {
        call();
        pass(0);
        if (chance.oneIn(16)) {
            throw lost;
        }
        way.lose();
        reconnections++;
        return way.barriers();
    }

    @Override
    public void prepare() throws IOException {
        call();
    }

    @Override
    public void pause() throws IOException {
        call();
        world.pause();
    }

    @Override
    public void resume() {
        world.resume();
    }

    @Override
    public boolean throttle(int percent) throws IOException {
        if (percent > 0) {
            call();
            if (chance.oneIn(2)) {
                return false;
            }
        }
        world.throttle = percent;
        return true;
    }

    @Override
    public void begin() {
        world.wantHints(true);
    }

    @Override
    public void end() {
        world.wantHints(false);
    }

    @Override
    public long nanoTime() {
        time += 1 + chance.below(3);
        return time;
    }

    @Override
    public void pass(long nanos) {
        time += nanos;
        // Much happens in a period in which the engine does nothing.
        for (int i = chance.below(96); i > 0; i--) {
            world.step();
        }
    }

    Outcome run() throws IOException {
        for (int i = chance.below(20); i > 0; i--) {
            world.step();
        }
        try {
            MemorySegment fingerprints = MemorySegment.ofArray(new long[2 * world.pages]);
            report = precopy.run(table(fingerprints), FINGERPRINT);
        } catch (ConnectionLostException e) {
            verify(!world.paused, "the guest stands still after the connection was lost", -1);
            verify(world.throttle == 0, "the guest is slow after the connection was lost", -1);
            return Outcome.LOST;
        } catch (InjectedFailure e) {
            gaveUp = true;
            verify(calls >= failingCall && failingCall > 0, "a failure that was not made", -1);
            verify(!world.paused, "the guest stands still after a failure", -1);
            verify(world.throttle == 0, "the guest is slow after a failure", -1);
            return Outcome.FAILED;
        } catch (MigrationCancelledException e) {
            verify(!world.paused, "the guest stands still after it was cancelled", -1);
            verify(world.throttle == 0, "the guest is slow after it was cancelled", -1);
            return Outcome.CANCELLED;
        }
        verify(failingCall < 0 || calls < failingCall, "a failure was swallowed", -1);
        compare();
        return Outcome.MIGRATED;
    }

    private PageTable table(MemorySegment fingerprints) {
        return switch (mutant) {
            case LOST_NOT_OWED ->
                new PageTable(world.pages, fingerprints) {
                    @Override
                    void lose(PageBits owed) {
                        super.lose(new PageBits(world.pages));
                    }
                };
            case LOST_TAKEN_FOR_SENT ->
                new PageTable(world.pages, fingerprints) {
                    @Override
                    void lose(PageBits owed) {
                        PageBits before = new PageBits(world.pages);
                        before.or(sent);
                        super.lose(owed);
                        sent.or(before);
                        unsure.clear();
                    }
                };
            case LOST_EXCUSED_BY_A_HOLE ->
                new PageTable(world.pages, fingerprints) {
                    private final PageBits looksAtThem = new PageBits(world.pages);

                    @Override
                    void lose(PageBits owed) {
                        super.lose(owed);
                        looksAtThem.or(unsure);
                        unsure.clear();
                    }

                    @Override
                    boolean markZero(long page) {
                        if (looksAtThem.contains(page)) {
                            looksAtThem.remove(page);
                            unsure.add(page);
                        }
                        return super.markZero(page);
                    }

                    @Override
                    void markSent(long page, long[] fingerprint) {
                        looksAtThem.remove(page);
                        super.markSent(page, fingerprint);
                    }
                };
            case LOST_ZEROS_NOT_SENT ->
                new PageTable(world.pages, fingerprints) {
                    @Override
                    boolean markZero(long page) {
                        unsure.remove(page);
                        return super.markZero(page);
                    }
                };
            default -> new PageTable(world.pages, fingerprints);
        };
    }

    /**
     * With post-copy: pages that the destination discarded and requests later come from the memory of the paused guest.
     */
    private void bringOwed() {
        precopy.owed().forEachRun((first, count) -> {
            int from = (int) first * World.WORDS_IN_PAGE;
            System.arraycopy(world.memory, from, destination, from, (int) count * World.WORDS_IN_PAGE);
        });
        owed = precopy.owed().count();
        promised.andNot(precopy.owed());
        verify(promised.isEmpty(), "what was promised is not owed", (int) promised.next(0));
    }

    private void compare() {
        bringOwed();
        long told = 0;
        for (int p = 0; p < world.pages; p++) {
            for (int i = p * World.WORDS_IN_PAGE; world.matters[p] && i < (p + 1) * World.WORDS_IN_PAGE; i++) {
                verify(
                        destination[i] == world.memory[i],
                        "the destination has " + destination[i] + " and not " + world.memory[i],
                        p);
            }
            verify(!freed[p] || !world.matters[p], "the destination was told that it is free, and it isn't", p);
            told += freed[p] ? 1 : 0;
        }
        Report done = java.util.Objects.requireNonNull(report);
        long fates = done.pages().values().stream().mapToLong(Long::longValue).sum();
        verify(fates == world.pages, "fates of " + fates + " pages", -1);
        long free = 0;
        for (Fate fate : Fate.values()) {
            free += fate.isNotNeeded() ? done.pages(fate) : 0;
        }
        // A migration that leaves before its memory reports none.
        verify(free == told || switchesOver && told == 0, "told that " + told + " are free, counted " + free, -1);
        verify(world.paused, "the guest runs", -1);
        verify(world.throttle == 0, "the guest is slow at the destination", -1);
    }

    private void verify(boolean right, String otherwise, int page) {
        if (!right) {
            throw new AssertionError((page >= 0 ? "page " + page + " of " + world.pages + ": " : "") + otherwise + "; "
                    + this + (world.trace == null ? "" : "\n" + world.trace));
        }
    }

    @Override
    public String toString() {
        return (blind ? "no log, " + hintedPages : "log") + ", failing call " + failingCall + ", cancelled in call "
                + cancellingCall + ", sources "
                + sources.stream().map(FreePageSource::fate).toList() + (gaveUp ? ", gave up" : "");
    }
}
