package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.RoundDigest;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.PlainWire;
import org.exomem.migration.stream.wire.Wire;
import org.jspecify.annotations.Nullable;

/**
 * One migration at its destination, over all the connections that it takes. Threads of connections meet here; all of it is
 * guarded by its monitor, except the destination's own work, which one thread does at a time by the order of the stream.
 */
final class ReceivingSession {
    /** How long a source has to read why it was given up. */
    private static final long LAST_WORDS_SECONDS = 3;

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

    private enum Stage {
        RECEIVING,
        READY,
        RUNNING,
        FAILED
    }

    private Stage stage = Stage.RECEIVING;
    private long rounds;
    private byte[] digest = RoundDigest.none();
    private int cuts;
    private boolean targetClosed;
    private boolean failureTold;
    private @Nullable ReceivingLink link;
    private @Nullable ScheduledFuture<?> giveUp;

    ReceivingSession(
            UUID migration,
            String source,
            MemoryDescription memory,
            Destination destination,
            PageTarget target,
            StreamOptions options,
            ScheduledExecutorService timer) {
        this.migration = migration;
        this.source = source;
        this.memory = memory;
        this.destination = destination;
        this.target = target;
        this.options = options;
        this.timer = timer;
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

    /** When the source has heard that its guest runs here. */
    CompletableFuture<Void> heard() {
        return heard;
    }

    synchronized boolean isOver() {
        return stage == Stage.FAILED || outcome.isDone();
    }

    synchronized Phase phase() {
        return switch (stage) {
            case RECEIVING -> Phase.RECEIVING;
            case READY -> Phase.READY;
            case RUNNING, FAILED -> Phase.RUNNING;
        };
    }

    /** The source's first connections. */
    synchronized void begin(ReceivingLink first) {
        link = first;
    }

    /** The source came back: connections of before are void, and their threads gone when this returns. */
    synchronized void resume(ReceivingLink next) throws IOException {
        ReceivingLink old = link;
        if (stage == Stage.FAILED) {
            throw new StreamFault("the destination gave this migration up before the source came back");
        }
        checkCertain();
        if (!next.features.contains(StreamFeature.RESUME)) {
            throw new StreamFault("the two ends did not agree that a migration may be resumed after a cut");
        }
        if (!next.main.peer().equals(source) && isNamed(next.main)) {
            throw new StreamFault("this migration is of " + source + ", not of " + next.main.peer());
        }
        if (old != null) {
            fail(old, new IOException("the source came back on another connection"));
            old.main.close();
            long end = System.nanoTime() + options.patience().toNanos();
            while (old.threads > 0) {
                waitUntil(end, "connections of before the cut don't end");
            }
        }
        if (stage == Stage.FAILED) {
            throw new StreamFault("the destination gave this migration up");
        }
        checkCertain();
        stopWaiting();
        cuts++;
        link = next;
        if (stage != Stage.RUNNING) {
            destination.cameBack();
        }
    }

    /** Addresses change with every connection; what a certificate or key proves does not. */
    private static boolean isNamed(Wire wire) {
        return !(wire instanceof PlainWire);
    }

    /** A data connection joins. */
    synchronized ReceivingLink join(Wire wire, int channel, int channels) throws StreamFault {
        ReceivingLink current = link;
        if (current == null || current.failure != null || stage != Stage.RECEIVING) {
            throw new StreamFault("this migration has no main connection now");
        }
        if (channels != current.data.length || current.data[channel] != null) {
            throw new StreamFault("this migration has its data connection " + channel + " of " + current.data.length);
        }
        if (!wire.peer().equals(source) && isNamed(wire)) {
            throw new StreamFault("this migration is of " + source + ", not of " + wire.peer());
        }
        current.data[channel] = wire;
        current.threads++;
        return current;
    }

    synchronized long rounds() {
        return rounds;
    }

    /** A data connection has all of a round; waits for the others. */
    void roundEnded(ReceivingLink mine, int channel, long round, byte[] channelDigest) throws IOException {
        byte[] all;
        synchronized (this) {
            if (round != rounds + 1 || stage != Stage.RECEIVING) {
                throw new StreamFault("data connection " + channel + " ended round " + round + " after " + rounds);
            }
            List<byte[]> digests = mine.arrived(channel, channelDigest);
            if (digests.isEmpty()) {
                while (rounds < round) {
                    check(mine);
                    waitUntil(Long.MAX_VALUE, "");
                }
                return;
            }
            check(mine);
            digest = RoundDigest.chain(digest, digests);
            all = digest;
            rounds = round;
            notifyAll();
        }
        mine.say(writer -> writer.chunk(ChunkType.ROUND_DONE, round, 0, ByteBuffer.wrap(all)));
    }

    /** A data connection has carried everything. */
    synchronized void ended(ReceivingLink mine, int channel, long after) throws StreamFault {
        if (after != rounds) {
            throw new StreamFault("data connection " + channel + " ended after round " + after + " and not " + rounds);
        }
        mine.ended[channel] = true;
        notifyAll();
    }

    /**
     * The source has sent everything.
     *
     * @param expected the source's digest of all rounds and states
     * @param stateDigest ours of the states
     */
    ReceivedMigration complete(ReceivingLink mine, long after, byte[] expected, byte[] stateDigest) throws IOException {
        synchronized (this) {
            if (after != rounds || stage != Stage.RECEIVING) {
                throw new StreamFault("the source ended after round " + after + " and not " + rounds);
            }
            long end = System.nanoTime() + options.patience().toNanos();
            while (!mine.allEnded()) {
                check(mine);
                waitUntil(end, "data connections do not end though the main one did");
            }
            if (!MessageDigest.isEqual(expected, RoundDigest.chain(digest, List.of(stateDigest)))) {
                throw new StreamFault("what came is not what the source sent: their digests differ");
            }
            closeTarget();
            return received();
        }
    }

    private ReceivedMigration received() {
        return new ReceivedMigration(source, rounds, counts.pages(), counts.zeros(), counts.free(), cuts);
    }

    synchronized void isReady(ReceivingLink mine) throws IOException {
        if (stage == Stage.RECEIVING) {
            // Also if the connection was lost meanwhile: the guest is made ready once, and the source may come back.
            stage = Stage.READY;
        }
        check(mine);
    }

    /**
     * The source let go. From here on nothing takes the guest away again but its own failure to start.
     *
     * @return false if it had let go before, and asks again because it did not hear the answer
     */
    synchronized boolean takeOver(ReceivingLink mine) throws IOException {
        check(mine);
        if (stage == Stage.RUNNING) {
            return false;
        }
        if (stage != Stage.READY) {
            throw new StreamFault("the source let go of a guest that was not ready");
        }
        stage = Stage.RUNNING;
        return true;
    }

    /** The guest runs here. */
    void runs() {
        ReceivedMigration received;
        synchronized (this) {
            received = received();
        }
        try {
            destination.started();
        } finally {
            outcome.complete(received);
        }
    }

    /** The source has heard that its guest runs here, and will not come back to ask. */
    synchronized void isHeard() throws StreamFault {
        if (stage != Stage.RUNNING) {
            throw new StreamFault("the source has heard what was not said");
        }
        heard.complete(null);
    }

    /** The guest may run here. The source hears neither that it does nor that it doesn't, now or when it comes back. */
    void startIsUncertain(HandoverUncertainException why) {
        outcome.completeExceptionally(why);
    }

    private void checkCertain() throws IOException {
        if (outcome.isCompletedExceptionally()) {
            // Not a fault of the stream: an ERROR would say that the guest does not run here.
            throw new IOException("the source came back to hear what nobody knows");
        }
    }

    private static void check(ReceivingLink mine) throws IOException {
        if (mine.failure != null) {
            throw MigrationFailure.of(mine.failure).again();
        }
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
     * One of the connections failed: ends all of them. Ends the migration too, unless it was a cut after which the source may
     * come back.
     */
    synchronized void fail(ReceivingLink mine, IOException why) {
        if (mine.failure != null || stage == Stage.RUNNING && !(why instanceof DestinationFault)) {
            // Once the source has let go, nothing but our failure to start gives the guest back: telling the source to
            // go on
            // while it starts here would make two guests of one.
            return;
        }
        mine.failure = why;
        notifyAll();
        mine.closeData();
        if (mine != link || outcome.isDone()) {
            mine.main.close();
            return;
        }
        boolean over = stage == Stage.RUNNING
                || MigrationFailure.isFinal(why)
                || !mine.features.contains(StreamFeature.RESUME);
        if (over) {
            stage = Stage.FAILED;
            sayWhy(mine, why);
        } else {
            mine.main.close();
            long limit = options.resumeWithin().toMillis();
            stopWaiting();
            giveUp = timer.schedule(() -> giveUp(mine, why, limit), limit, TimeUnit.MILLISECONDS);
            destination.lost(why);
        }
    }

    private void sayWhy(ReceivingLink mine, IOException why) {
        // Whoever reads the main connection goes on until the source hangs up: if we did first, with something of the
        // source's unread, the kernel would throw our words away.
        timer.schedule(mine.main::close, LAST_WORDS_SECONDS, TimeUnit.SECONDS);
        try {
            mine.say(writer -> writer.error(String.valueOf(why.getMessage())));
            mine.main.finishWriting();
        } catch (IOException e) {
            mine.main.close();
        }
    }

    private void giveUp(ReceivingLink mine, IOException why, long millis) {
        synchronized (this) {
            if (mine != link || outcome.isDone()) {
                return;
            }
            stage = Stage.FAILED;
            mine.failure = new IOException(
                    "the connection to the source broke (" + why.getMessage()
                            + "), and the source did not come back within " + millis + " ms",
                    why);
        }
        cleanUp();
    }

    private void stopWaiting() {
        if (giveUp != null) {
            giveUp.cancel(false);
            giveUp = null;
        }
    }

    /** A thread of a connection is through with it. */
    void leave(ReceivingLink mine) {
        synchronized (this) {
            mine.threads--;
            notifyAll();
        }
        cleanUp();
    }

    /** The destination was stopped. */
    void stop() {
        ReceivingLink current;
        synchronized (this) {
            stopWaiting();
            current = link;
            if (current != null && current.failure == null && !outcome.isDone()) {
                fail(current, new StreamFault("the destination was stopped"));
            } else if (current != null && !outcome.isDone()) {
                stage = Stage.FAILED;
            }
        }
        cleanUp();
    }

    /** Throws away what there is of a failed migration, once nobody works on it any more. */
    private void cleanUp() {
        IOException why;
        synchronized (this) {
            ReceivingLink current = link;
            if (stage != Stage.FAILED || outcome.isDone() || current == null || current.threads > 0) {
                return;
            }
            why = current.failure == null
                    ? new IOException("the migration failed")
                    : MigrationFailure.of(current.failure).again();
            closeTarget();
            if (failureTold) {
                return;
            }
            failureTold = true;
        }
        destination.failed(why);
        outcome.completeExceptionally(why);
    }

    private void closeTarget() {
        if (!targetClosed) {
            targetClosed = true;
            target.close();
        }
    }
}
