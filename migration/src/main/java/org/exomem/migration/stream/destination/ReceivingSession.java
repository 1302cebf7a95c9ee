package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PageSink;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.destination.Reception.Event;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.RoundDigest;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.PlainWire;
import org.exomem.migration.stream.wire.Wire;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One migration at its destination, over all its connections: a {@link Reception} and the effects of its states. Used by the
 * threads of all connections and guarded by its monitor. The work of {@link Destination} is done by one thread at a time, in
 * the order of the stream.
 */
final class ReceivingSession {
    private static final Logger LOG = LoggerFactory.getLogger(ReceivingSession.class);
    /** How long a source has to read why the migration was given up. */
    private static final long ERROR_LINGER_SECONDS = 3;

    private final UUID migration;
    private final String source;
    private final MemoryDescription memory;
    private final Destination destination;
    private final StreamOptions options;
    private final ScheduledExecutorService timer;
    private final PageTarget target;
    private final PageCounts counts = new PageCounts();
    private final CompletableFuture<ReceivedMigration> outcome = new CompletableFuture<>();
    private final CompletableFuture<Void> heard = new CompletableFuture<>();
    private Reception state;
    private long rounds;
    private byte[] digest = RoundDigest.none();
    private int cuts;
    /** Set with post-copy, from the end of the rounds on. */
    private @Nullable PostCopyMemory owed;
    /** The pages that the source owed when it first announced them. Never changed. */
    private volatile @Nullable PageBits promised;
    /** True while a timer checks whether a wanted page arrives. */
    private final AtomicBoolean looksForWanted = new AtomicBoolean();

    private volatile long wantedLast;

    private volatile boolean listening;
    /** The read lock is held while pages of a round are applied. */
    private final ReadWriteLock applying = new ReentrantReadWriteLock();
    /** The connections on which the source can be asked for pages. */
    private volatile @Nullable ReceivingLink reachable;

    /** @param first the source's first connections */
    ReceivingSession(
            UUID migration,
            String source,
            MemoryDescription memory,
            Destination destination,
            PageTarget target,
            StreamOptions options,
            ScheduledExecutorService timer,
            ReceivingLink first) {
        this.migration = migration;
        this.source = source;
        this.memory = memory;
        this.destination = destination;
        this.target = target;
        this.options = options;
        this.timer = timer;
        this.state = new Reception.Receiving(first);
    }

    /**
     * A migration whose guest runs here already while pages are owed to it, as an earlier process has left it.
     *
     * @param begun what that process knew of it
     */
    ReceivingSession(
            BegunMigration begun, Destination destination, StreamOptions options, ScheduledExecutorService timer) {
        this.migration = begun.migration();
        this.source = begun.source();
        this.memory = begun.memory();
        this.destination = destination;
        this.target = PageTarget.NONE;
        this.options = options;
        this.timer = timer;
        this.rounds = begun.rounds();
        this.state = new Reception.Owing(null, null);
    }

    UUID migration() {
        return migration;
    }

    String source() {
        return source;
    }

    MemoryDescription memory() {
        return memory;
    }

    PageTarget target() {
        return target;
    }

    PageCounts counts() {
        return counts;
    }

    Destination destination() {
        return destination;
    }

    CompletableFuture<ReceivedMigration> outcome() {
        return outcome;
    }

    /** Completes when the source has confirmed that its guest runs here. */
    CompletableFuture<Void> heard() {
        return heard;
    }

    synchronized boolean isOver() {
        return state.isOver();
    }

    synchronized Phase phase() {
        return state.phase();
    }

    synchronized long rounds() {
        return rounds;
    }

    /** Enters the next state, and does the work of entering it. */
    private synchronized void step(Event event) throws IOException {
        Reception before = state;
        state = Reception.next(before, event);
        if (state == before) {
            return;
        }
        notifyAll();
        reachable = state.isReachable() ? state.current() : null;
        listening |= state instanceof Reception.Listening;
        switch (state) {
            case Reception.Complete(ReceivingLink link, boolean owes) when !owes -> target.close();
            case Reception.Cut cut when !(before instanceof Reception.Cut) -> enterCut(cut);
            case Reception.Failing failing
            when !(before instanceof Reception.Cut) -> {
                failing.link().closeData();
                abandonOwed();
                sendError(failing.link(), failing.why());
            }
            case Reception.Failing failing -> abandonOwed();
            case Reception.Starting(ReceivingLink link, IOException cut)
            when cut != null && owed != null -> link.close();
            case Reception.Owing(ReceivingLink link, IOException cut)
            when link != null && cut != null -> {
                link.close();
                destination.lost(cut);
            }
            case Reception.Failed(IOException why, boolean complete) when !complete -> target.close();
            case Reception.Confirmed confirmed -> heard.complete(null);
            case Reception.Uncertain uncertain -> outcome.completeExceptionally(uncertain.why());
            default -> {}
        }
    }

    /** As {@link #step}, for events that no state refuses. */
    private void happened(Event event) {
        try {
            step(event);
        } catch (IOException e) {
            throw new IllegalStateException("unexpected refusal of an event: " + event, e);
        }
    }

    /**
     * Releases threads that would wait forever for pages of a guest that does not begin here, and the destination with them.
     */
    private void abandonOwed() {
        PostCopyMemory abandoned = owed;
        if (abandoned != null) {
            timer.execute(abandoned::abandon);
        }
    }

    private void enterCut(Reception.Cut cut) {
        ReceivingLink lost = cut.at().link();
        lost.close();
        Duration within = options.resumeWithin();
        timer.schedule(
                () -> {
                    happened(new Event.TimeOut(lost, within));
                    cleanUp();
                },
                within.toMillis(),
                TimeUnit.MILLISECONDS);
        destination.lost(cut.why());
    }

    private void sendError(ReceivingLink mine, IOException why) {
        // STR-ERR-1: the main connection is read until the source closes it. If this end closed it first, with unread
        // data, the kernel would drop its last chunk.
        timer.schedule(mine.main::close, ERROR_LINGER_SECONDS, TimeUnit.SECONDS);
        try {
            mine.say(writer -> writer.error(String.valueOf(why.getMessage())));
            mine.main.finishWriting();
        } catch (IOException e) {
            mine.main.close();
        }
    }

    /**
     * The source has connected again: its earlier connections are closed, and their threads have ended when this returns
     * (STR-RES-2).
     */
    synchronized void resume(ReceivingLink next) throws IOException {
        if (state instanceof Reception.Failing || state instanceof Reception.Failed) {
            throw new StreamFault("the destination ended this migration before the source reconnected");
        }
        if (!next.features.contains(StreamFeature.RESUME)) {
            throw new StreamFault(
                    "the two ends did not negotiate that a migration may be resumed after a lost connection");
        }
        checkPeer(next.main);
        ReceivingLink current = state.current();
        ReceivingLink old = null;
        // Repeated if it has connected a third time meanwhile.
        while (current != null && current != old) {
            old = current;
            step(new Event.Lost(old, new IOException("the source reconnected on another connection")));
            old.close();
            long end = System.nanoTime() + options.patience().toNanos();
            // With post-copy the thread that starts the guest may wait for a page that only the new connection brings.
            while (old.threads > (state instanceof Reception.Starting && owed != null ? 1 : 0)) {
                waitUntil(end, "the lost connections do not end");
            }
            current = state.current();
        }
        step(new Event.Resumed(next));
        cuts++;
        if (state instanceof Reception.Arriving) {
            destination.cameBack();
        }
    }

    /** True if pages are owed when the guest begins here, or were. */
    synchronized boolean owes() {
        return owed != null || state instanceof Reception.Owing;
    }

    /** The pages that the source must be told it owes, after a lost connection (STR-PST-7). */
    PageBits missing() throws IOException {
        PostCopyMemory known;
        synchronized (this) {
            known = owed;
        }
        return known != null ? known.owed() : destination.absent();
    }

    /** The source has promised these pages. Its guest still runs there. */
    void listen(ReceivingLink mine, PageBits pages) throws IOException {
        step(new Event.Promised(mine));
        applying.writeLock().lock();
        try {
            target.close();
        } finally {
            applying.writeLock().unlock();
        }
        destination.listening(pages);
    }

    /** The source owes these pages. */
    void owe(PageBits pages) throws IOException {
        promised = pages;
        PostCopyMemory begun =
                destination.owing(new BegunMigration(migration, source, memory, rounds()), pages, this::want);
        synchronized (this) {
            owed = begun;
            notifyAll();
            if (state instanceof Reception.Failing || state instanceof Reception.Failed) {
                abandonOwed();
            }
        }
    }

    /** The source has connected again, and owes these pages (STR-PST-7). */
    void oweAgain(ReceivingLink mine, PageBits pages) throws IOException {
        PostCopyMemory known;
        synchronized (this) {
            known = owed;
        }
        if (known == null) {
            owe(pages);
            awaitArrived();
        } else {
            expectAllOf(known.owed(), pages);
            known.again();
        }
        boolean all;
        synchronized (this) {
            all = state instanceof Reception.Running || state instanceof Reception.Confirmed;
        }
        if (all) {
            mine.say(writer -> writer.chunk(ChunkType.ARRIVED, 0, 0));
        } else {
            destination.cameBack();
        }
    }

    /** STR-PST-10 */
    private void expectAllOf(PageBits missing, PageBits pages) throws StreamFault {
        missing.andNot(pages);
        if (!missing.isEmpty()) {
            throw new StreamFault("the source no longer owes page " + missing.next(0) + ", which has not arrived");
        }
        PageBits more = new PageBits(pages.pages());
        more.copyOf(pages);
        more.andNot(Objects.requireNonNull(promised));
        if (!more.isEmpty()) {
            throw new StreamFault("the source now owes page " + more.next(0) + ", which it did not owe before");
        }
    }

    /**
     * Checks that all of these pages were owed; they must be within memory (STR-PST-10).
     *
     * @throws StreamFault if one was not
     */
    void expectOwed(long first, long count) throws StreamFault {
        PageBits known = Objects.requireNonNull(promised);
        long other = known.nextAbsent(first);
        if (other < first + count) {
            throw new StreamFault("the source sent page " + other + ", which it did not owe");
        }
    }

    private void want(long page) throws IOException {
        ReceivingLink link = reachable;
        if (link == null) {
            throw new ConnectionLostException("the connection to the source is lost", null);
        }
        link.say(writer -> writer.chunk(ChunkType.WANT, page, 1));
        wantedLast = page;
        if (looksForWanted.compareAndSet(false, true)) {
            lookFor(page, link);
        }
    }

    /** STR-PST-11. Checks one page at a time, and then the last that was wanted, because all threads may wait for it. */
    private void lookFor(long page, ReceivingLink link) {
        Duration within = options.patience();
        try {
            timer.schedule(() -> looked(page, link), within.toNanos(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("no access waits for page {} any longer: this destination is closed", page, e);
        }
    }

    private void looked(long page, ReceivingLink link) {
        looksForWanted.set(false);
        PostCopyMemory known = owed();
        ReceivingLink now = reachable;
        if (known == null || now == null) {
            return;
        }
        PageBits left = known.owed();
        if (link == now && left.contains(page) && !known.isFull()) {
            fail(
                    link,
                    new IOException("page " + page + ", which an access waits for, did not arrive within "
                            + options.patience().toMillis() + " ms"));
            return;
        }
        long last = wantedLast;
        if (left.contains(last) && looksForWanted.compareAndSet(false, true)) {
            lookFor(last, now);
        }
    }

    private synchronized @Nullable PostCopyMemory owed() {
        return owed;
    }

    /**
     * Waits until the sink of a data connection for the time after END is known.
     *
     * @return null if nothing is owed
     */
    synchronized @Nullable PageSink awaitOwing(ReceivingLink mine) throws IOException {
        while (state instanceof Reception.Receiving
                || state instanceof Reception.Listening
                || owed == null && state.owes()) {
            state.check(mine);
            waitUntil(Long.MAX_VALUE, "");
        }
        state.check(mine);
        return owed == null ? null : owed.sink(() -> reachable == mine);
    }

    /** Applies a chunk of a data connection. */
    interface Applying {
        void run() throws IOException;
    }

    /**
     * Applies pages of a round.
     *
     * @throws StreamFault if the source has announced that no more rounds come
     */
    void inRound(Applying what) throws IOException {
        applying.readLock().lock();
        try {
            if (listening) {
                throw new StreamFault("pages of a round arrived after the source had switched to post-copy");
            }
            what.run();
        } finally {
            applying.readLock().unlock();
        }
    }

    /** True if a data connection has received everything, and may end. */
    synchronized boolean isDone() {
        return state instanceof Reception.Running || state instanceof Reception.Confirmed;
    }

    private void awaitArrived() {
        PostCopyMemory begun;
        synchronized (this) {
            begun = owed;
        }
        if (begun != null) {
            begun.arrived()
                    .whenCompleteAsync(
                            (arrived, failure) -> {
                                if (failure == null) {
                                    finishOwing();
                                } else {
                                    failOwing(failure);
                                }
                            },
                            task -> Thread.ofPlatform()
                                    .name("migration-arrived")
                                    .daemon()
                                    .start(task));
        }
    }

    /** The guest has ended here before all of its memory had arrived, so the rest is not needed. */
    private void failOwing(Throwable failure) {
        DestinationFault why = new DestinationFault("the guest has ended at the destination", failure);
        ReceivingLink link = reachable;
        if (link != null) {
            sayItHasRun(link);
            sendError(link, why);
        }
        destination.failed(why);
        outcome.completeExceptionally(why);
    }

    /** STR-PST-12: an ERROR without RUNNING before it means that the guest was never started. */
    private static void sayItHasRun(ReceivingLink link) {
        try {
            link.sayRunning();
        } catch (IOException e) {
            LOG.debug("the source is not informed that its guest ran here and has ended", e);
        }
    }

    /** All owed pages have arrived (STR-PST-6). */
    private void finishOwing() {
        ReceivingLink link;
        synchronized (this) {
            happened(new Event.Arrived());
            link = reachable;
        }
        if (link != null) {
            try {
                link.say(writer -> writer.chunk(ChunkType.ARRIVED, 0, 0));
            } catch (IOException e) {
                LOG.debug("the source is informed when it reconnects", e);
            }
        }
        finish();
    }

    /** Addresses change with every connection. The identity that a certificate or key proves does not (STR-SEC-4). */
    private void checkPeer(Wire wire) throws StreamFault {
        if (!(wire instanceof PlainWire) && !wire.peer().equals(source)) {
            throw new StreamFault("this migration is of " + source + ", not of " + wire.peer());
        }
    }

    /** Adds a data connection. */
    synchronized ReceivingLink join(Wire wire, int channel, int channels) throws StreamFault {
        ReceivingLink current = state.current();
        if (current == null || !state.isReachable() || !(state instanceof Reception.Receiving) && !owes()) {
            throw new StreamFault("this migration has no main connection now");
        }
        if (channels != current.data.length || current.data[channel] != null) {
            throw new StreamFault(
                    "this migration already has data connection " + channel + " of " + current.data.length);
        }
        checkPeer(wire);
        current.data[channel] = wire;
        current.threads++;
        return current;
    }

    /** A data connection has received all of a round; waits for the others (STR-RND-2). */
    void endRound(ReceivingLink mine, int channel, long round, byte[] channelDigest) throws IOException {
        byte[] all;
        synchronized (this) {
            state.check(mine);
            if (round != rounds + 1 || !(state instanceof Reception.Receiving)) {
                throw new StreamFault("data connection " + channel + " ended round " + round + " after " + rounds);
            }
            List<byte[]> digests = mine.arrived(channel, channelDigest);
            if (digests.isEmpty()) {
                while (rounds < round) {
                    state.check(mine);
                    waitUntil(Long.MAX_VALUE, "");
                }
                return;
            }
            digest = RoundDigest.chain(digest, digests);
            all = digest;
            rounds = round;
            notifyAll();
        }
        mine.say(writer -> writer.chunk(ChunkType.ROUND_DONE, round, 0, ByteBuffer.wrap(all)));
    }

    /** A data connection has received everything (STR-END-1). */
    synchronized void end(ReceivingLink mine, int channel, long after) throws StreamFault {
        if (after != rounds) {
            throw new StreamFault(
                    "data connection " + channel + " ended after round " + after + " instead of " + rounds);
        }
        mine.ended[channel] = true;
        notifyAll();
    }

    /**
     * The source has sent everything.
     *
     * @param expected the source's digest of all rounds and states
     * @param stateDigest this end's digest of the states
     */
    synchronized ReceivedMigration complete(ReceivingLink mine, long after, byte[] expected, byte[] stateDigest)
            throws IOException {
        if (after != rounds || state.phase() != Phase.RECEIVING) {
            throw new StreamFault("the source ended after round " + after + " instead of " + rounds);
        }
        long end = System.nanoTime() + options.patience().toNanos();
        while (!mine.allEnded()) {
            state.check(mine);
            waitUntil(end, "data connections do not end although the main connection ended");
        }
        // STR-DIG-4
        if (!MessageDigest.isEqual(expected, RoundDigest.chain(digest, List.of(stateDigest)))) {
            throw new StreamFault("the received data differs from the sent data: their digests differ");
        }
        step(new Event.Ended(mine));
        return received();
    }

    private synchronized ReceivedMigration received() {
        return new ReceivedMigration(source, rounds, counts.pages(), counts.zeros(), counts.free(), cuts);
    }

    /** The guest is ready to start. */
    synchronized void finishPreparing(ReceivingLink mine) throws IOException {
        step(new Event.Prepared());
        state.check(mine);
    }

    /**
     * The source has handed over the guest. From here on only its own failure to start takes the guest away.
     *
     * @return false if it was handed over before, and the source asks again because it did not get the answer
     */
    synchronized boolean takeOver(ReceivingLink mine) throws IOException {
        Reception before = state;
        step(new Event.LetGo(mine));
        return state != before;
    }

    /** The guest runs here. */
    void finishStarting() {
        boolean waits;
        synchronized (this) {
            waits = owed != null;
        }
        if (waits) {
            destination.startedOwing();
        }
        happened(new Event.Started(waits));
        if (waits) {
            awaitArrived();
        } else {
            finish();
        }
    }

    /** The guest can't be started here, and will not be. */
    void failStart(DestinationFault why) {
        happened(new Event.StartFailed(why));
    }

    /** The source asks again whether the guest runs: waits until that is known. */
    synchronized void awaitStarted(ReceivingLink mine) throws IOException {
        while (state instanceof Reception.Starting) {
            state.check(mine);
            waitUntil(Long.MAX_VALUE, "");
        }
        state.check(mine);
    }

    private void finish() {
        ReceivedMigration received = received();
        try {
            destination.started();
        } finally {
            outcome.complete(received);
        }
    }

    /** The source has confirmed that its guest runs here, and will not connect again to ask (STR-END-7). */
    void confirm() throws IOException {
        step(new Event.Heard());
    }

    /** The guest may run here. The source is not told that it does nor that it does not, now or when it connects again. */
    void leaveUncertain(HandoverUncertainException why) {
        happened(new Event.StartUncertain(why));
    }

    private void waitUntil(long end, String otherwise) throws IOException {
        try {
            long millis = end == Long.MAX_VALUE ? 0 : TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
            if (millis < 0) {
                throw new IOException(otherwise);
            }
            wait(end == Long.MAX_VALUE ? 0 : millis + 1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
    }

    /**
     * One of the connections failed: ends all of them. Ends the migration too, unless the connection was lost and the source
     * may connect again.
     */
    void fail(ReceivingLink mine, IOException why) {
        happened(new Event.Lost(mine, why));
    }

    /** A thread has ended its use of a connection. */
    void leave(ReceivingLink mine) {
        synchronized (this) {
            mine.threads--;
            notifyAll();
        }
        cleanUp();
    }

    /** The destination was stopped. A guest whose start has begun is not affected. */
    void stop() {
        happened(new Event.Stop());
        cleanUp();
    }

    /** Drops everything of a failed migration, when no thread uses it any more (STR-END-5). */
    private void cleanUp() {
        IOException why;
        synchronized (this) {
            if (!(state instanceof Reception.Failing failing) || failing.link().threads > 0) {
                return;
            }
            happened(new Event.LastLeft());
            why = MigrationFailure.of(failing.why()).again();
        }
        destination.failed(why);
        outcome.completeExceptionally(why);
    }
}
