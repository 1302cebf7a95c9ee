package org.exomem.migration.stream.destination;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.OwedPieces;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.migration.stream.wire.Wire;
import org.exomem.pages.PageBits;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A new connection: exchanges preambles, and then serves it according to its role. On a thread of its own. */
final class IncomingConnection {
    private static final Logger LOG = LoggerFactory.getLogger(IncomingConnection.class);
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String OTHER = "source";
    private static final UUID NOBODY = new UUID(0, 0);
    private static final long CLOSE_SECONDS = 3;

    private final Wire wire;
    private final SingleMigration migration;
    private final StreamOptions options;
    private final ScheduledExecutorService timer;
    private final Runnable admitted;

    /** @param admitted runs when the connection belongs to the migration, and its deadline ends */
    IncomingConnection(
            Wire wire,
            SingleMigration migration,
            StreamOptions options,
            ScheduledExecutorService timer,
            Runnable admitted) {
        this.wire = wire;
        this.migration = migration;
        this.options = options;
        this.timer = timer;
        this.admitted = admitted;
    }

    void serve() throws IOException {
        ChunkWriter writer = writer(0);
        try {
            Preamble theirs = greeted();
            // STR-PRE-4
            Preamble mine = mine(theirs.role(), theirs.channel(), theirs.migration(), theirs.channels());
            mine.send(wire);
            writer = writer(theirs.sequence());
            Set<StreamFeature> features = StreamFeature.agree(mine, theirs, OTHER);
            if (theirs.role() == Preamble.Role.MAIN) {
                ChunkReader reader = new ChunkReader(wire, mine.sequence(), ChunkType.Limits.CONTROL);
                serveMain(theirs, new ReceivingLink(wire, writer, features, theirs.channels()), reader);
            } else {
                serveData(theirs, writer, mine.sequence());
            }
        } catch (StreamFault | DestinationFault e) {
            refuse(writer, e);
            throw e;
        }
    }

    private ChunkWriter writer(long sequence) {
        return new ChunkWriter(wire, sequence, new BandwidthLimit(BandwidthLimit.NONE), null, false);
    }

    private Preamble greeted() throws IOException {
        try {
            return Preamble.receive(wire, OTHER);
        } catch (StreamFault e) {
            // STR-PRE-4: it should at least see this end's preamble, and then the reason.
            mine(Preamble.Role.MAIN, 0, NOBODY, 1).send(wire);
            throw e;
        }
    }

    private Preamble mine(Preamble.Role role, int channel, UUID of, int channels) {
        return new Preamble(
                Preamble.VERSION,
                Preamble.VERSION,
                role,
                channel,
                StreamFeature.bits(options.offered()),
                StreamFeature.bits(options.required()),
                of,
                RANDOM.nextLong(),
                channels);
    }

    private void refuse(ChunkWriter writer, IOException why) {
        try {
            writer.error(String.valueOf(why.getMessage()));
            wire.finishWriting();
            drain();
        } catch (IOException e) {
            LOG.debug("a rejected source did not wait for the reason", e);
        }
    }

    /**
     * STR-ERR-1: reads until the other end closes the connection. If this end closed it first, its last chunk might be lost.
     */
    private void drain() {
        ScheduledFuture<?> end;
        try {
            end = timer.schedule(wire::close, CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("the connection was not closed in order: this destination is closed", e);
            return;
        }
        ByteBuffer ignored = ByteBuffer.allocate(1 << 14);
        try {
            while (wire.read(ignored.clear()) >= 0) {
                ignored.clear();
            }
        } catch (IOException e) {
            LOG.debug("the source closed the connection", e);
        } finally {
            end.cancel(false);
        }
    }

    private void serveMain(Preamble theirs, ReceivingLink link, ChunkReader reader) throws IOException {
        ReceivingSession mine = session(theirs, link, reader);
        admitted.run();
        LivenessWatch watch = new LivenessWatch(
                timer,
                options.patience(),
                () -> link.say(writer -> writer.chunk(ChunkType.ALIVE, 0, 0)),
                () -> mine.fail(link, new IOException("the source has sent nothing for too long")));
        try {
            // STR-RES-3
            link.say(writer ->
                    writer.chunk(ChunkType.ACCEPTED, mine.rounds(), mine.phase().number()));
            if (mine.phase() != Phase.RECEIVING && mine.owes()) {
                // STR-PST-7
                PageBits missing = mine.missing();
                link.say(writer -> OwedPieces.write(missing, writer));
            }
            new MainReceiver(mine, link, reader, watch).run();
        } catch (IOException e) {
            mine.fail(link, e);
        } catch (RuntimeException | Error e) {
            mine.fail(link, SingleMigration.ownFault(e));
        } finally {
            watch.close();
            drain();
            link.close();
            mine.leave(link);
        }
    }

    private ReceivingSession session(Preamble theirs, ReceivingLink link, ChunkReader reader) throws IOException {
        if (!reader.next()) {
            throw new EOFException("the source ended the connection before it sent the description of its memory");
        }
        return switch (reader.type()) {
            case MEMORY -> migration.begin(theirs, link, MemoryDescription.decode(reader.payload()));
            case RESUME -> {
                ReceivingSession known = migration.known(theirs);
                known.resume(link);
                yield known;
            }
            case ERROR -> throw new PeerFault("the source ended the migration: " + reader.text());
            default ->
                throw new StreamFault(
                        "the source began with " + reader.type() + " instead of a description of its memory");
        };
    }

    private void serveData(Preamble theirs, ChunkWriter writer, long sequence) throws IOException {
        ReceivingSession mine = migration.known(theirs);
        ReceivingLink link = mine.join(wire, theirs.channel(), theirs.channels());
        admitted.run();
        Thread.currentThread().setName("migration-data-" + theirs.channel());
        try {
            // Only now, because it takes megabytes, which an unknown peer must not get.
            ChunkReader reader = new ChunkReader(wire, sequence, ChunkType.Limits.PAGES);
            writer.chunk(ChunkType.ACCEPTED, 0, 0);
            writer.flush();
            new DataReceiver(mine, link, theirs.channel(), reader).run();
        } catch (IOException e) {
            mine.fail(link, e);
        } catch (RuntimeException | Error e) {
            // Errors too: the source waits for this round as long as the other connections work.
            mine.fail(link, SingleMigration.ownFault(e));
        } finally {
            mine.leave(link);
        }
    }
}
