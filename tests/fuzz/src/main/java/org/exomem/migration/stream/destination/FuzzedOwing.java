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
 * The destination of a migration that agreed on post-copy, with two data connections that have ended without a round.
 * One thread decodes the main connection, and another the data connections. After that the source may connect again.
 * For a fuzzer, which determines the input.
 */
public final class FuzzedOwing implements AutoCloseable {
    /** The largest payload that is accepted, in bytes. */
    public static final int MOST = 1 << 14;

    private static final ScheduledThreadPoolExecutor TIMER = new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().name("fuzz-timer").daemon().unstarted(task));
    private static final StreamOptions OPTIONS = StreamOptions.defaults().withPatience(Duration.ofSeconds(10));
    private static final int CHANNELS = 2;

    private final ReceivingSession session;
    private ReceivingLink link;

    /** @param main receives the destination's output */
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
     * Decodes the main connection. Its chunks count from 0. The migration then continues as if all connections had
     * ended.
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
     * Decodes the input of a data connection after its END, while the guest runs here. Its chunks count from 0.
     *
     * @throws IOException why it ended; it ends nothing else
     */
    public void data(int channel, Wire wire) throws IOException {
        new DataReceiver(session, link, channel, new ChunkReader(wire, 0, MOST)).run();
    }

    /** All connections end. */
    public void fail(IOException why) {
        session.fail(link, why);
    }

    /**
     * The source connects again.
     *
     * @param main receives the destination's output
     * @return the missing pages that the destination reports, if it does
     * @throws IOException if the source is refused
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
