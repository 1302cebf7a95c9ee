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
 * One migration: rounds while the guest runs, and the last round while it is paused. {@link #run} runs on the engine's
 * thread. It waits for the destination and never for the guest. {@code spec/migration.md} explains why no page is lost.
 */
public final class Precopy {
    private static final long PROGRESS_NANOS = 100_000_000;
    private static final long SHORT_NANOS = 1_000_000;
    private static final long QUIET_NANOS = 50_000_000;
    private static final long LEAST_GAP_NANOS = 2_500_000;
    /** Hints may pause for this part of the time for which they have come: an eighth. */
    private static final int GAP_PART = 8;
    /**
     * A round may begin later by this part of its duration to wait for hints, multiplied by the worth of hints: a fiftieth.
     */
    private static final int PATIENCE_PART = 50;
    /** This part of the downtime limit counts as little: a twenty-fifth. */
    private static final int LITTLE_PART = 25;
    /**
     * A lock that is seldom taken is free at one of this many pauses. For a lock that is never free, more pauses would only
     * cost time.
     */
    private static final int SETTLE_TRIES = 8;

    /**
     * The environment. Tests replace it.
     *
     * @param assumedRate the expected bytes per second before any were sent
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
     * Prepares a migration.
     *
     * @param cancel ends it soon when it is cancelled; if a sink may hang, its connection must end with it too
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

    /** Sets a listener for the pages that are being sent. Call it before {@link #run}. Returns this. */
    public Precopy watchedBy(PagesOnTheWay.Listener of) {
        watcher = of;
        return this;
    }

    /**
     * Migrates the memory. Call it once. When it returns, the destination has all memory, or a promise of the rest with
     * post-copy, and the guest is paused. When it throws, the guest runs.
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

    /** In a file without a name, so that only the used part takes memory, and none of the heap. */
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

    /**
     * Runs rounds until the switch-over is due, unless the rest can be sent in the guest's pause before that (MIG-POST-1).
     */
    private void copyUntil(SwitchOver when, Crew crew, Accounts accounts, long start) throws IOException {
        // Without a log of writes, all pages that were sent before the pause would have to be sent again.
        if (when.rounds() > 0 && !source.isBlind()) {
            long end = start + when.time().toNanos();
            copyRounds(crew, accounts, () -> rounds < when.rounds() && ticker.nanoTime() - end < 0);
        }
    }

    /** Pauses the guest, and leaves the pages that the destination does not have as owed (MIG-POST-2). */
    private Report switchOver(Crew crew, Accounts accounts, long start) throws IOException {
        check();
        endHinting();
        source.control().prepare();
        // Done here, because making these pages missing at the destination would lengthen the pause.
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

    /** Adds the pages whose present content the destination does not have. */
    private void owe(Accounts accounts) throws IOException {
        accounts.sync();
        accounts.excuse();
        accounts.takeUpPostponed();
        accounts.owe(owed);
    }

    /**
     * After {@link #run}: the pages whose present content the destination does not have (MIG-POST-2). Empty without
     * post-copy.
     */
    public PageBits owed() {
        return owed;
    }

    /** @param goesOn checked between two rounds */
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

    /** Takes fingerprints of all pages, to compare pages with them that are hinted later. */
    private void look(Crew crew, Accounts accounts) throws IOException {
        phase = Progress.Phase.LOOKING;
        accounts.sync();
        pass(crew, accounts, Crew.Work.LOOK);
        accounts.looked();
        phase = Progress.Phase.COPYING;
    }

    private void prepare(Crew crew, Accounts accounts) throws IOException {
        check();
        // First, because a driver that is busy with hints does not release its device.
        endHinting();
        long before = ticker.nanoTime();
        source.control().prepare();
        if (ticker.nanoTime() - before > options.downtimeLimit().toNanos() / LITTLE_PART) {
            round(crew, accounts, false);
        }
    }

    /**
     * Pauses the guest. If guesses can't be settled, the guest runs for a moment before the next attempt. After some
     * attempts fewer guesses are made, and after as many again none (MIG-SETTLE-3).
     *
     * @return when the pause began, in ns of the ticker
     */
    private long pause(Crew crew, Accounts accounts) throws IOException {
        for (int tries = 1; ; tries++) {
            check();
            long pausing = ticker.nanoTime();
            // First, because a guest that is only partly paused must be resumed too.
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

    /** Sends what is owed now before the pause. */
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
            // MIG-CUT-5: lost pages are owed again in the same round.
        }
        convergence.roundEnded(ticker.nanoTime() - roundStart, (tally.sent.sum() - sentBefore) * pageSize);
    }

    /** Sends the owed pages; false if the connection was lost meanwhile, and was restored. */
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

    /** Restores the connection. The time for that does not count for the network's speed. */
    private long reconnect(ConnectionLostException lost) throws IOException {
        check();
        long before = ticker.nanoTime();
        long has = destination.reconnection().reconnect(lost);
        roundStart += ticker.nanoTime() - before;
        return has;
    }

    /** Gives all owed pages to workers, and processes hints meanwhile (MIG-ROUND-3). */
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
     * Asks for hints, and delays the round while they arrive: a little in any case, and then as long as they excuse so much
     * that sending it would have taken longer (MIG-ROUND-6).
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
            // A hint of an excused page does not count, so that a guest can't delay a round with the same pages again
            // and again.
            long still = owedBytes(accounts);
            if (still < left) {
                // A driver takes some time before its first hint.
                first = left == owed ? now : first;
                last = now;
                left = still;
            }
        }
        // The wait for hints does not count for the network's speed.
        roundStart += now - start;
    }

    /**
     * How long hints may pause before the wait ends, in nanoseconds, to be multiplied by the worth of hints.
     *
     * @param cameFor the time from the first hint to the last
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

    /** Throttles the guest. True if another round may help because the guest writes less from now on. */
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

    /** Restores the guest: running, at its full speed. */
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
