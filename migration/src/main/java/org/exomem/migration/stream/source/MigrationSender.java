package org.exomem.migration.stream.source;

import static java.util.Objects.requireNonNull;

import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PageSink;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.Compressor;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.RoundDigest;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Timers;
import org.jspecify.annotations.Nullable;

/**
 * The source of a migration: sends rounds of pages over several data connections, then device states, then lets go.
 *
 * <p>One thread, the engine's, calls the methods of this class; each {@link #channels channel} may have a thread of its own,
 * which does nothing while this class's methods run. {@link #sent} and {@link #cancel} may be called by anyone.
 *
 * <p>Every failure is an {@link IOException} with a text for the user: {@link PeerFault} where the destination gave up,
 * {@link StreamFault} where it answered nonsense, {@link HandoverUncertainException} where nobody knows who has the guest,
 * {@link ConnectionLostException} where the connection broke, after which {@link #reconnect} may help. In all cases but
 * {@link HandoverUncertainException} the source's guest is the one that counts.
 */
public final class MigrationSender implements AutoCloseable {
    private static final long FIRST_PAUSE = 50_000_000;
    private static final long LONGEST_PAUSE = 1_000_000_000;
    private static final System.Logger LOG = System.getLogger(MigrationSender.class.getName());
    private static final SecureRandom RANDOM = new SecureRandom();

    private final MigrationAddress to;
    private final StreamSecurity security;
    private final StreamOptions options;
    private final MemoryDescription memory;
    private final BandwidthLimit limit;
    private final UUID migration = UUID.randomUUID();
    private final ScheduledExecutorService timer = Timers.start();
    private final List<SenderChannel> channels = new ArrayList<>();
    /** Nobody wants to connect again. */
    private final CountDownLatch givenUp = new CountDownLatch(1);

    private volatile @Nullable SourceLink link;
    private Set<StreamFeature> features = Set.of();
    private long rounds;
    private byte[] digest = RoundDigest.none();
    private byte[] digestOfNext = RoundDigest.none();
    private int states;
    private boolean letGo;
    private volatile boolean cancelled;

    /**
     * What the destination has after a cut.
     *
     * @param rounds the rounds that it has completely; what was sent after the last of them has to be sent again
     * @param isReady true if it has everything, device states too: only {@link #handOver} is left to do
     */
    public record ResumePoint(long rounds, boolean isReady) {}

    private MigrationSender(
            MigrationAddress to,
            StreamSecurity security,
            StreamOptions options,
            MemoryDescription memory,
            BandwidthLimit limit) {
        this.to = to;
        this.security = security;
        this.options = options;
        this.memory = memory;
        this.limit = limit;
    }

    /**
     * Connects to a destination that has, or makes, a memory like this one.
     *
     * @param limit of all connections together
     * @throws IOException if nobody is there, or the destination does not want this migration; the message says why
     */
    public static MigrationSender connect(
            MigrationAddress to,
            StreamSecurity security,
            StreamOptions options,
            MemoryDescription memory,
            BandwidthLimit limit)
            throws IOException {
        MigrationSender sender = new MigrationSender(to, security, options, memory, limit);
        try {
            sender.open(ChunkType.MEMORY, options);
            return sender;
        } catch (IOException | RuntimeException e) {
            sender.close();
            throw e;
        }
    }

    /** @param patient how long each connection may take to answer */
    private SourceLink.Answer open(ChunkType how, StreamOptions patient) throws IOException {
        Greeting main = Greeting.of(to, security, patient, preamble(Preamble.Role.MAIN, 0), timer);
        SourceLink opened;
        ScheduledFuture<?> impatience;
        try {
            opened = new SourceLink(main, timer, options);
            impatience = timer.schedule(
                    () -> opened.fail(new IOException(to + " did not answer in time")),
                    patient.patience().toNanos(),
                    TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            main.close();
            throw new IOException("the migration was closed", e);
        }
        link = opened;
        if (cancelled) {
            opened.cancel();
        }
        features = main.features();
        opened.say(writer -> {
            if (how == ChunkType.MEMORY) {
                writer.chunk(ChunkType.MEMORY, 0, 0, memory.encode());
            } else {
                writer.chunk(how, rounds, 0);
            }
            writer.flush();
        });
        SourceLink.Answer answer = opened.await(ChunkType.ACCEPTED);
        impatience.cancel(false);
        if (Phase.of(answer.count()) == Phase.RECEIVING) {
            for (int i = 0; i < options.channels(); i++) {
                attach(opened, i, patient);
            }
        }
        return answer;
    }

    private void attach(SourceLink opened, int number, StreamOptions patient) throws IOException {
        if (channels.size() == number) {
            Compressor compressor = features.contains(StreamFeature.ZSTD) ? new Compressor() : null;
            channels.add(new SenderChannel(memory, compressor, limit));
        }
        Greeting data = Greeting.of(to, security, patient, preamble(Preamble.Role.DATA, number), timer);
        opened.add(data);
        ChunkReader reader = new ChunkReader(data.wire(), data.mine().sequence(), ChunkType.Limits.TEXT);
        try {
            if (!reader.next()) {
                throw new EOFException("the destination ended data connection " + number);
            }
        } catch (IOException e) {
            throw opened.because(e);
        }
        if (reader.type() != ChunkType.ACCEPTED) {
            throw new PeerFault("the destination refused data connection " + number + ": " + reader.text());
        }
        channels.get(number).attach(opened, data);
    }

    private Preamble preamble(Preamble.Role role, int channel) {
        return new Preamble(
                Preamble.VERSION,
                Preamble.VERSION,
                role,
                channel,
                StreamFeature.bits(options.offered()),
                StreamFeature.bits(options.required()),
                migration,
                RANDOM.nextLong(),
                options.channels());
    }

    /** The data connections, which carry pages side by side. They stay the same when the source reconnects. */
    public List<PageSink> channels() {
        return List.copyOf(channels);
    }

    /** Who the destination is: the name that its certificate proves, or its address. */
    public String destination() {
        return link().main().wire().peer();
    }

    /** What both ends agreed on. */
    public Set<StreamFeature> features() {
        return Set.copyOf(features);
    }

    /** The bytes of pages, with all that surrounds them, that went to the network so far. */
    public long sent() {
        long sent = 0;
        for (SenderChannel channel : channels) {
            sent += channel.sent();
        }
        return sent;
    }

    /**
     * Ends a round: returns when the destination has all that was sent, in its place, so that nothing that is sent from now
     * on can be overtaken by it. No channel may be in use.
     *
     * @return the rounds so far
     */
    public long endRound() throws IOException {
        SourceLink current = link();
        long round = rounds + 1;
        List<byte[]> digests = new ArrayList<>();
        for (SenderChannel channel : channels) {
            digests.add(channel.endRound(round));
        }
        digestOfNext = RoundDigest.chain(digest, digests);
        SourceLink.Answer done = current.await(ChunkType.ROUND_DONE);
        if (done.first() != round || !Arrays.equals(done.payload(), digestOfNext)) {
            throw new StreamFault("after round " + round
                    + " the destination has not what was sent: the digests of round " + done.first() + " differ");
        }
        return roundIsDone();
    }

    private long roundIsDone() {
        digest = digestOfNext;
        rounds++;
        return rounds;
    }

    /**
     * The state of a device, to be written as it comes and closed. After the last round; one at a time.
     *
     * @param name what both ends call it, 1 to 255 bytes of UTF-8
     */
    public OutputStream deviceState(String name) throws IOException {
        return new StateStream(link(), states++, name);
    }

    /** Says that everything was sent; returns when the destination could start the guest at once. */
    public void finish() throws IOException {
        SourceLink current = link();
        for (SenderChannel channel : channels) {
            channel.end(rounds);
        }
        current.say(writer -> {
            byte[] all = RoundDigest.chain(digest, List.of(writer.digest().finish()));
            writer.chunk(ChunkType.END, rounds, 0, ByteBuffer.wrap(all));
            writer.flush();
        });
        current.await(ChunkType.READY);
    }

    /**
     * Lets go: from now on the guest is the destination's. Returns when it runs there.
     *
     * @throws PeerFault if the destination could not start it, and will not: the source may go on
     * @throws HandoverUncertainException if the source must not go on, because the destination may have started
     */
    public void handOver() throws IOException {
        SourceLink current = link();
        letGo = true;
        try {
            current.say(writer -> {
                writer.chunk(ChunkType.GO, 0, 0);
                writer.flush();
            });
            current.await(ChunkType.RUNNING);
        } catch (PeerFault e) {
            throw e;
        } catch (IOException e) {
            throw uncertain(e);
        }
        try {
            current.write(writer -> {
                writer.chunk(ChunkType.HEARD, 0, 0);
                writer.flush();
            });
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "the destination waits a while for a source that has heard enough", e);
        }
    }

    private HandoverUncertainException uncertain(IOException e) {
        return new HandoverUncertainException(
                "the guest was handed over to " + to
                        + ", and the connection broke before the destination said that it runs (" + e.getMessage()
                        + "). It stands still here. Look there: if it runs, end the VMM here; if it does not, end the"
                        + " VMM there, and then tell the VMM here to go on (cont); never let both run",
                e);
    }

    /**
     * After a cut: connects again, trying for some time. Everything that was sent after the rounds that the destination has
     * must be sent again, and all device states if it is not ready.
     *
     * @param within how long to try
     * @throws IOException if nobody answers in time, or coming back was not agreed on or is refused
     * @throws HandoverUncertainException if that is so after the source has let go
     */
    public ResumePoint reconnect(Duration within) throws IOException {
        link().close();
        try {
            if (!features.contains(StreamFeature.RESUME)) {
                throw new StreamFault("the two ends did not agree that a migration may be resumed after a cut");
            }
            return tryToResume(System.nanoTime() + within.toNanos());
        } catch (IOException e) {
            // Who refuses may be another destination than the one that the guest was given to.
            throw letGo ? uncertain(e) : e;
        }
    }

    private ResumePoint tryToResume(long end) throws IOException {
        for (long pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
            try {
                return resume(end);
            } catch (IOException e) {
                if (MigrationFailure.isFinal(e) || end - System.nanoTime() <= pause || isGivenUpWithin(pause)) {
                    throw e;
                }
            }
        }
    }

    private boolean isGivenUpWithin(long nanos) throws IOException {
        try {
            return givenUp.await(nanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while connecting to the destination again");
        }
    }

    private ResumePoint resume(long end) throws IOException {
        link().close();
        Duration left = Duration.ofNanos(Math.max(1, end - System.nanoTime()));
        SourceLink.Answer answer =
                open(ChunkType.RESUME, left.compareTo(options.patience()) < 0 ? options.withPatience(left) : options);
        states = 0;
        long has = answer.first();
        if (has == rounds + 1 && digestOfNext != digest) {
            roundIsDone();
        }
        if (has != rounds) {
            throw new StreamFault("the destination says that it has " + has + " rounds, " + rounds + " were sent");
        }
        return new ResumePoint(has, Phase.of(answer.count()) != Phase.RECEIVING);
    }

    /**
     * Makes whatever waits, now or later, fail with a {@link MigrationCancelledException}, and tells the destination; does not
     * wait itself. Not after {@link #handOver}.
     */
    public void cancel() {
        cancelled = true;
        givenUp.countDown();
        SourceLink current = link;
        if (current != null) {
            current.cancel();
        }
    }

    /** Gives the migration up; the destination reads why, unless it was told already. Not after {@link #handOver}. */
    public void abort(String reason) {
        SourceLink current = link;
        if (current != null) {
            current.sayGoodbye(reason);
        }
        close();
    }

    private SourceLink link() {
        return requireNonNull(link, "connected");
    }

    /** Ends all connections and threads. Without {@link #handOver} before, the destination throws away what it has. */
    @Override
    public void close() {
        givenUp.countDown();
        timer.shutdownNow();
        SourceLink current = link;
        if (current != null) {
            current.close();
        }
        channels.forEach(SenderChannel::close);
    }
}
