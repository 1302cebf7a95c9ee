package org.exomem.migration.precopy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.LongFunction;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.CancelToken;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.Fingerprint;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.PageSink;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.pagesource.Settling;
import org.exomem.pages.PageBits;

/**
 * One migration: rounds while the guest runs, and the last one while it is paused. {@link #run} is the engine's thread; it
 * waits for the destination and never for the guest. {@code spec/migration.md} says why no page is lost.
 */
public final class Precopy {
    private static final long PROGRESS_NANOS = 100_000_000;
    private static final long SHORT_NANOS = 1_000_000;
    private static final long QUIET_NANOS = 50_000_000;
    private static final long LEAST_GAP_NANOS = 2_500_000;
    /** The part of the time for which hints have come that they may stay away: an eighth. */
    private static final int GAP_PART = 8;
    /** The part of a round's time that it may begin later for the sake of hints, for each time that these are worth: a fiftieth. */
    private static final int PATIENCE_PART = 50;
    /** What is taken for little, of the longest that the guest may be paused: a twenty-fifth. */
    private static final int LITTLE_PART = 25;
    /** A lock that is seldom taken is free at one of so many pauses; one that is never free costs no more than that. */
    private static final int SETTLE_TRIES = 8;

    /**
     * What a test does otherwise.
     *
     * @param assumedRate bytes per second that are expected to travel before any have
     * @param worthHints bytes; a later round that has less to send asks for no hints
     */
    record Means(
            Ticker ticker,
            LongFunction<MemorySegment> buffers,
            Function<List<Courier>, Crew> crews,
            long assumedRate,
            long worthHints) {
        static final Means REAL = new Means(
                Ticker.SYSTEM,
                bytes -> Arena.ofAuto().allocate(bytes, Long.BYTES),
                ThreadCrew::new,
                1L << 30,
                64L << 20);
    }

    private final MigrationSource source;
    private final Destination destination;
    private final PrecopyOptions options;
    private final Progress.Listener listener;
    private PagesOnTheWay.Listener watcher = pages -> {};
    private final Means means;
    private final Ticker ticker;
    private final int pageSize;
    private final Tally tally = new Tally();
    private final Convergence convergence;

    private final CancelToken cancel;
    private boolean hinting;
    private int throttle;
    private int maxThrottle;
    private int rounds;
    private Progress.Phase phase = Progress.Phase.COPYING;
    private long lastProgress;
    private long roundStart;
    private PageBits owed;
    private boolean hasPromised;
    private long sentBefore;

    /**
     * A migration that has not begun.
     *
     * @param cancel ends it soon when it is cancelled; what the sinks write to has to end by it too, if one of them may hang
     */
    public Precopy(
            MigrationSource source,
            Destination destination,
            PrecopyOptions options,
            Progress.Listener listener,
            CancelToken cancel) {
        this(source, destination, options, listener, cancel, Means.REAL);
    }

    Precopy(
            MigrationSource source,
            Destination destination,
            PrecopyOptions options,
            Progress.Listener listener,
            CancelToken cancel,
            Means means) {
        this.source = source;
        this.destination = destination;
        this.options = options;
        this.listener = listener;
        this.cancel = cancel;
        this.means = means;
        this.ticker = means.ticker;
        this.pageSize = source.memory().pageSize();
        this.owed = new PageBits(source.memory().pages());
        this.convergence = new Convergence(options, source.isBlind(), means.assumedRate);
    }

    /** Has somebody told of the pages that are on their way; before {@link #run}. Returns this. */
    public Precopy watchedBy(PagesOnTheWay.Listener of) {
        watcher = of;
        return this;
    }

    /**
     * Migrates the memory, once. When this returns, the destination has all of it and the guest is paused; when it throws,
     * the guest runs.
     *
     * @throws MigrationCancelledException if it was cancelled in time
     * @throws IOException if memory can't be read, a sink fails, or the guest's control does
     */
    public Report run() throws IOException {
        long pages = source.memory().pages();
        try (Mapping fingerprints = table(pages)) {
            return run(new PageTable(pages, fingerprints.segment()), new Fingerprint(Fingerprint.newSeed(), pageSize));
        }
    }

    /** In a file without a name, so that only what is used takes memory, and none of the heap. */
    private static Mapping table(long pages) throws IOException {
        long size = Math.max(1, PageTable.bytes(pages)) + SharedFile.SMALL_PAGE - 1 & -SharedFile.SMALL_PAGE;
        try (SharedFile file = SharedFile.memfd("exomem-fingerprints", size)) {
            return Mapping.of(file, 0, size);
        }
    }

    Report run(PageTable table, Fingerprint fingerprint) throws IOException {
        List<Courier> couriers = new ArrayList<>();
        for (PageSink sink : destination.sinks()) {
            couriers.add(new Courier(source.memory(), table, fingerprint, tally, sink, means.buffers));
        }
        try (Crew crew = means.crews.apply(couriers)) {
            Accounts accounts = new Accounts(source, table, options.hintedPages());
            watcher.begins(accounts.onTheWay());
            return run(crew, accounts);
        } catch (IOException | RuntimeException | Error e) {
            giveUp(e);
            throw e;
        }
    }

    private Report run(Crew crew, Accounts accounts) throws IOException {
        long start = ticker.nanoTime();
        if (options.switchOver().isPresent()) {
            copyUntil(options.switchOver().get(), crew, accounts, start);
            if (!convergence.isInLimit()) {
                return switchOver(crew, accounts, start);
            }
        } else {
            copyRounds(crew, accounts, () -> true);
        }
        prepare(crew, accounts);
        long pausing = pause(crew, accounts);
        boolean inLimit = convergence.isInLimit();
        // MIG-ROUND-5, MIG-DIRTY-2: the round begins with a sync.
        accounts.lastRound();
        round(crew, accounts, false);
        check();
        return report(accounts, start, pausing, inLimit);
    }

    /** Rounds until the guest is to leave, if the rest can't be sent in its pause before (MIG-POST-1). */
    private void copyUntil(SwitchOver when, Crew crew, Accounts accounts, long start) throws IOException {
        // Where no log of writes is kept, all that was sent before the pause would have to be sent again.
        if (when.rounds() > 0 && !source.isBlind()) {
            long end = start + when.time().toNanos();
            copyRounds(crew, accounts, () -> rounds < when.rounds() && ticker.nanoTime() - end < 0);
        }
    }

    /** The guest leaves as it is, and what the destination does not have is owed (MIG-POST-2). */
    private Report switchOver(Crew crew, Accounts accounts, long start) throws IOException {
        check();
        endHinting();
        source.control().prepare();
        // What it takes to let all of them be missing over there is not for the pause.
        owe(accounts);
        PageBits promised = new PageBits(owed.pages());
        promised.copyOf(owed);
        hasPromised = true;
        destination.promise().make(promised);
        long pausing = pause(crew, accounts);
        accounts.lastRound();
        rounds++;
        owe(accounts);
        check();
        return report(accounts, start, pausing, true);
    }

    /** Adds what the destination has not as it is here now. */
    private void owe(Accounts accounts) throws IOException {
        accounts.sync();
        accounts.excuse();
        accounts.takeUpPostponed();
        accounts.owe(owed);
    }

    /**
     * After {@link #run}: the pages that the destination has not as they are here (MIG-POST-2). Empty unless the options let the guest
     * leave so.
     */
    public PageBits owed() {
        return owed;
    }

    /** @param goesOn is asked between two rounds */
    private void copyRounds(Crew crew, Accounts accounts, BooleanSupplier goesOn) throws IOException {
        if (source.isBlind() && options.hintedPages() == HintedPages.SKIP_UNCHANGED) {
            look(crew, accounts);
        }
        boolean askForHints = true;
        boolean clearsWhatItHints = false;
        do {
            round(crew, accounts, askForHints);
            accounts.sync();
            if (!accounts.hintsLast()) {
                clearsWhatItHints = true;
                endHinting();
            }
            accounts.excuse();
            convergence.estimate(owedBytes(accounts));
            askForHints = !clearsWhatItHints && owedBytes(accounts) >= means.worthHints;
        } while (goesOn.getAsBoolean() && !convergence.isOver() && (!convergence.isStuck() || slowDown()));
    }

    private Report report(Accounts accounts, long start, long pausing, boolean inLimit) throws IOException {
        Duration estimated = Duration.ofNanos(convergence.estimate());
        long end = ticker.nanoTime();
        unthrottle();
        return new Report(
                pageSize,
                accounts.fates(),
                tally.resent.sum(),
                tally.unchanged.sum(),
                rounds,
                tally.sent.sum() * pageSize,
                Duration.ofNanos(end - start),
                Duration.ofNanos(end - pausing),
                estimated,
                inLimit,
                0,
                maxThrottle);
    }

    /** Takes fingerprints of everything, so that what is hinted later can be compared with them. */
    private void look(Crew crew, Accounts accounts) throws IOException {
        phase = Progress.Phase.LOOKING;
        accounts.sync();
        pass(crew, accounts, Crew.Work.LOOK);
        accounts.looked();
        phase = Progress.Phase.COPYING;
    }

    private void prepare(Crew crew, Accounts accounts) throws IOException {
        check();
        // First: a driver that is busy with hints does not let its device go.
        endHinting();
        long before = ticker.nanoTime();
        source.control().prepare();
        if (ticker.nanoTime() - before > options.downtimeLimit().toNanos() / LITTLE_PART) {
            round(crew, accounts, false);
        }
    }

    /**
     * Pauses the guest. Where what was guessed can't be settled, it runs on for a moment before the next try; after some tries
     * less is guessed, and after as many again nothing (MIG-SETTLE-3).
     *
     * @return when the pause began
     */
    private long pause(Crew crew, Accounts accounts) throws IOException {
        for (int tries = 1; ; tries++) {
            check();
            long pausing = ticker.nanoTime();
            // First: a guest that is half paused has to be let run on too.
            phase = Progress.Phase.PAUSED;
            source.control().pause();
            Settling settling = accounts.settle();
            if (settling == Settling.CERTAIN) {
                source.control().paused();
                return pausing;
            }
            source.control().resume();
            phase = Progress.Phase.COPYING;
            if (settling == Settling.NEVER || tries == 2 * SETTLE_TRIES) {
                accounts.guessNoMore();
                sendWhatWasGuessed(crew, accounts);
            } else if (tries == SETTLE_TRIES) {
                accounts.guessLess();
                sendWhatWasGuessed(crew, accounts);
            } else {
                ticker.pass(SHORT_NANOS);
            }
        }
    }

    /** What is owed now is not for the pause. */
    private void sendWhatWasGuessed(Crew crew, Accounts accounts) throws IOException {
        if (hasPromised) {
            // No round follows a promise (STR-PST-2). The next sync makes these pages owed.
            return;
        }
        do {
            round(crew, accounts, false);
            accounts.sync();
            accounts.excuse();
            convergence.estimate(owedBytes(accounts));
        } while (!convergence.isOver() && !convergence.isStuck());
    }

    private void round(Crew crew, Accounts accounts, boolean askForHints) throws IOException {
        check();
        rounds++;
        roundStart = ticker.nanoTime();
        sentBefore = tally.sent.sum();
        accounts.sync();
        if (askForHints) {
            beginHinting(accounts);
        }
        while (!arrives(crew, accounts)) {
            // MIG-CUT-5: what was lost is owed again, in the same round.
        }
        convergence.roundEnded(ticker.nanoTime() - roundStart, (tally.sent.sum() - sentBefore) * pageSize);
    }

    /** Sends what is owed; false if the connection was lost meanwhile, and is there again. */
    private boolean arrives(Crew crew, Accounts accounts) throws IOException {
        try {
            do {
                pass(crew, accounts, Crew.Work.CARRY);
            } while (accounts.takeUpPostponed());
            if (phase == Progress.Phase.PAUSED) {
                accounts.forEachFreeRun(destination.sinks().getFirst()::free);
            }
            destination.barrier().endRound();
        } catch (ConnectionLostException e) {
            crew.takeBack(accounts.owed());
            if (reconnect(e) < rounds) {
                accounts.lost();
                return false;
            }
        }
        accounts.arrived();
        return true;
    }

    /** The time that it takes does not count as the network's. */
    private long reconnect(ConnectionLostException lost) throws IOException {
        check();
        long before = ticker.nanoTime();
        long has = destination.reconnection().reconnect(lost);
        roundStart += ticker.nanoTime() - before;
        return has;
    }

    /** Gives workers all that is owed, and takes hints meanwhile (MIG-ROUND-3). */
    private void pass(Crew crew, Accounts accounts, Crew.Work work) throws IOException {
        long from = 0;
        while (from >= 0) {
            meanwhile(accounts);
            Batch batch = crew.free();
            if (batch != null) {
                from = batch.take(accounts.owed(), from);
                crew.give(batch, work);
            }
        }
        while (!crew.isIdle()) {
            meanwhile(accounts);
        }
    }

    private void meanwhile(Accounts accounts) throws IOException {
        check();
        accounts.excuse();
        report(accounts);
    }

    /**
     * Asks for hints, and lets the round begin later while they come: a little in any case, and then for as long as they have excused
     * so much of what could have been sent meanwhile that they were worth it (MIG-ROUND-6).
     */
    private void beginHinting(Accounts accounts) throws IOException {
        if (source.hints() == HintSessions.NONE) {
            return;
        }
        accounts.excuse();
        long owed = owedBytes(accounts);
        int worth = options.hintWorth();
        long patience = Math.min(options.patience().toNanos(), convergence.nanos(owed) / PATIENCE_PART * worth);
        hinting = true;
        source.hints().begin();
        long start = ticker.nanoTime();
        long first = start;
        long last = start;
        long left = owed;
        long now = start;
        while (!accounts.hintsHaveEnded()
                && (now - start < patience
                        || now - last < gap(last - first) * worth
                                && worth * convergence.nanos(owed - left) > now - first)) {
            check();
            report(accounts);
            ticker.pass(SHORT_NANOS);
            now = ticker.nanoTime();
            accounts.excuse();
            // A hint of what is excused already is none: a guest must not hold a round up with the same pages.
            long still = owedBytes(accounts);
            if (still < left) {
                // A driver takes some time before its first.
                first = left == owed ? now : first;
                last = now;
                left = still;
            }
        }
        // What was waited for hints says nothing of the network.
        roundStart += now - start;
    }

    /**
     * How long hints may stay away, of which the latest came so long after the first, before no more are waited for, for each time that
     * they are worth; nanoseconds.
     */
    private static long gap(long cameFor) {
        return Math.min(QUIET_NANOS, cameFor / GAP_PART + LEAST_GAP_NANOS);
    }

    private void endHinting() {
        if (hinting) {
            hinting = false;
            source.hints().end();
        }
    }

    /** True if another round may be of use because the guest writes less from now on. */
    private boolean slowDown() throws IOException {
        int more = Convergence.nextThrottle(throttle);
        if (!options.autoConverge() || more == throttle || !source.control().throttle(more)) {
            return false;
        }
        throttle = more;
        maxThrottle = more;
        convergence.throttled();
        return true;
    }

    private long owedBytes(Accounts accounts) {
        return accounts.owed().count() * pageSize;
    }

    private void check() throws MigrationCancelledException {
        cancel.check();
    }

    private void report(Accounts accounts) {
        long now = ticker.nanoTime();
        if (now - lastProgress < PROGRESS_NANOS) {
            return;
        }
        lastProgress = now;
        long owed = owedBytes(accounts);
        listener.progress(new Progress(
                phase,
                rounds,
                tally.sent.sum() * pageSize,
                owed,
                convergence.rate(),
                Duration.ofNanos(convergence.nanos(owed)),
                Duration.ofNanos(convergence.estimate())));
    }

    /** Leaves the guest as it was: running, at its full speed. */
    private void giveUp(Throwable because) {
        attempt(because, () -> {
            if (phase == Progress.Phase.PAUSED) {
                source.control().resume();
            }
        });
        attempt(because, this::unthrottle);
        attempt(because, this::endHinting);
    }

    private void unthrottle() throws IOException {
        if (throttle > 0) {
            throttle = 0;
            source.control().throttle(0);
        }
    }

    private interface Attempt {
        void run() throws IOException;
    }

    private static void attempt(Throwable because, Attempt attempt) {
        try {
            attempt.run();
        } catch (IOException | RuntimeException e) {
            because.addSuppressed(e);
        }
    }
}
