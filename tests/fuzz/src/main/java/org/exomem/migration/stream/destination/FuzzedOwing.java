package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.OwedPieces;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.migration.stream.wire.Wire;
import org.exomem.pages.PageBits;

/**
 * A migration at its destination that agreed on post-copy, with two data connections that have ended without a round. What comes on the main
 * connection is decoded on one thread, and what comes on the others meanwhile; after that the source may come back. For a fuzzer, which
 * decides what comes.
 */
public final class FuzzedOwing implements AutoCloseable {
    /** The largest payload that is taken. */
    public static final int MOST = 1 << 14;

    private static final ScheduledThreadPoolExecutor TIMER = new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().name("fuzz-timer").daemon().unstarted(task));
    private static final StreamOptions OPTIONS = StreamOptions.defaults().withPatience(Duration.ofSeconds(10));
    private static final int CHANNELS = 2;

    private final ReceivingSession session;
    private ReceivingLink link;

    /** @param main where what the destination says goes */
    public FuzzedOwing(MemoryDescription memory, Wire main, Destination destination) {
        link = link(main);
        session = new ReceivingSession(
                new UUID(1, 2), "fuzz", memory, destination, PageTarget.NONE, OPTIONS, TIMER, link);
    }

    private static ReceivingLink link(Wire main) {
        ReceivingLink link = new ReceivingLink(
                main,
                new ChunkWriter(main, 0, new BandwidthLimit(BandwidthLimit.NONE), null, false),
                EnumSet.of(StreamFeature.RESUME, StreamFeature.POSTCOPY),
                CHANNELS);
        for (int channel = 0; channel < CHANNELS; channel++) {
            link.ended[channel] = true;
        }
        return link;
    }

    /**
     * Decodes the main connection. Its chunks count from 0. The migration then goes on as when that is the end of all connections.
     *
     * @throws IOException why they ended
     */
    public void main(Wire wire) throws IOException {
        LivenessWatch watch = new LivenessWatch(TIMER, Duration.ofHours(1), () -> {}, () -> {});
        try {
            new MainReceiver(session, link, new ChunkReader(wire, 0, MOST), watch).run();
        } catch (IOException e) {
            session.fail(link, e);
            throw e;
        } finally {
            watch.close();
            session.leave(link);
        }
    }

    /**
     * Decodes what a data connection brings after its END, while the guest runs here. Its chunks count from 0.
     *
     * @throws IOException why it ended; nothing else has ended by that
     */
    public void data(int channel, Wire wire) throws IOException {
        new DataReceiver(session, link, channel, new ChunkReader(wire, 0, MOST)).run();
    }

    /** All connections end. */
    public void fail(IOException why) {
        session.fail(link, why);
    }

    /**
     * The source comes back.
     *
     * @param main where what the destination says goes
     * @return what it is told that is not there, if it is told that
     * @throws IOException if it is turned away
     */
    public Optional<PageBits> comeBack(Wire main) throws IOException {
        ReceivingLink next = link(main);
        session.resume(next);
        link = next;
        if (session.phase() == Phase.RECEIVING || !session.owes()) {
            return Optional.empty();
        }
        PageBits missing = session.missing();
        next.say(writer -> OwedPieces.write(missing, writer));
        return Optional.of(missing);
    }

    /** True if the guest runs here with all of its memory. */
    public boolean isDone() {
        return session.isDone();
    }

    @Override
    public void close() {
        session.stop();
        TIMER.getQueue().clear();
    }
}
