package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ScheduledExecutorService;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.migration.stream.wire.Timers;
import org.exomem.migration.stream.wire.Wire;

/**
 * The destination of a migration with one data connection, on one thread: first the whole data connection, then the
 * main one. For a fuzzer, which determines the input of both.
 */
public final class FuzzedReception {
    /** The largest payload that is accepted, in bytes. */
    public static final int MOST = 1 << 12;

    private static final ScheduledExecutorService TIMER = Timers.start();
    private static final StreamOptions OPTIONS = StreamOptions.defaults().withPatience(Duration.ofMillis(1));

    private final ReceivingLink link;
    private final ReceivingSession session;

    /** @param main receives the main connection's answers */
    public FuzzedReception(
            MemoryDescription memory,
            Set<StreamFeature> features,
            Wire main,
            Destination destination,
            PageTarget target) {
        link = new ReceivingLink(
                main, new ChunkWriter(main, 0, new BandwidthLimit(BandwidthLimit.NONE), null, false), features, 1);
        session = new ReceivingSession(new UUID(1, 2), "fuzz", memory, destination, target, OPTIONS, TIMER, link);
    }

    /** Decodes the data connection. Its chunks count from 0. */
    public void data(Wire wire) throws IOException {
        new DataReceiver(session, link, 0, new ChunkReader(wire, 0, MOST)).run();
    }

    /** Decodes the main connection. Its chunks count from 0. */
    public void main(Wire wire) throws IOException {
        LivenessWatch watch = new LivenessWatch(TIMER, Duration.ofHours(1), () -> {}, () -> {});
        try {
            new MainReceiver(session, link, new ChunkReader(wire, 0, MOST), watch).run();
        } finally {
            watch.close();
        }
    }

    /** The number of rounds that were received. */
    public long rounds() {
        return session.rounds();
    }
}
