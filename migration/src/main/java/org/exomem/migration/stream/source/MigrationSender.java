package org.exomem.migration.stream.source;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.CancelToken;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.GuestGivenBackException;
import org.exomem.migration.GuestPages;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PageSink;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.Compressor;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.OwedPieces;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.RoundDigest;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Timers;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The source of a migration: sends rounds of pages over several data connections, then device states, and then hands over
 * the guest.
 *
 * <p>One thread, the engine's, calls the methods of this class. Each {@link #channels channel} may have a thread of its own,
 * which must be idle while a method of this class runs. Any thread may call {@link #sent} and use the {@link CancelToken}.
 *
 * <p>Every failure is an {@link IOException} with a message for the user: {@link PeerFault} if the destination gave up,
 * {@link StreamFault} if it sent an invalid answer, {@link HandoverUncertainException} if it is unknown which end has the
 * guest, {@link ConnectionLostException} if the connection broke; after the last, {@link #reconnect} may help. Before {@link
 * #handOver}, the source has the guest after each failure. From {@link #handOver} on, it has the guest only after a {@link
 * GuestGivenBackException}.
 */
public final class MigrationSender implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MigrationSender.class);
    private static final long FIRST_PAUSE = 50_000_000;
    private static final long LONGEST_PAUSE = 1_000_000_000;

    private final MigrationAddress to;
    private final StreamOptions options;
    private final MemoryDescription memory;
    private final BandwidthLimit limit;
    private final CancelToken cancel;
    private final ScheduledExecutorService timer = Timers.start();
    private final Connector connector;
    private final List<SenderChannel> channels = new ArrayList<>();
    /** Ends the wait between two attempts to connect again. */
    private final CountDownLatch givenUp = new CountDownLatch(1);

    private volatile SourceState state = new SourceState.Unconnected();
    /** Set with post-copy, from the last round on. */
    private @Nullable OwingSource owing;

    /**
     * What the destination has after a lost connection.
     *
     * @param rounds the number of its complete rounds; everything that was sent after the last of them must be sent again
     * @param isReady true if it has everything, including device states, so that only {@link #handOver} remains
     */
    public record ResumePoint(long rounds, boolean isReady) {}

    private MigrationSender(
            MigrationAddress to,
            StreamSecurity security,
            StreamOptions options,
            MemoryDescription memory,
            BandwidthLimit limit,
            CancelToken cancel) {
        this.to = to;
        this.options = options;
        this.memory = memory;
        this.limit = limit;
        this.cancel = cancel;
        this.connector = new Connector(to, security, options, timer);
    }

    /**
     * Connects to a destination that has, or makes, a memory like this one. It can't be cancelled.
     *
     * @param limit for all connections together
     * @throws IOException if no process listens there, or the destination refuses this migration; the message says why
     */
    public static MigrationSender connect(
            MigrationAddress to,
            StreamSecurity security,
            StreamOptions options,
            MemoryDescription memory,
            BandwidthLimit limit)
            throws IOException {
        return connect(to, security, options, memory, limit, new CancelToken());
    }

    /**
     * Connects to a destination that has, or makes, a memory like this one.
     *
     * @param limit for all connections together
     * @param cancel when it is cancelled, every present and later wait fails with a {@link MigrationCancelledException}, and
     *     the destination is notified; close it before {@link #handOver}
     * @throws IOException if no process listens there, or the destination refuses this migration; the message says why
     */
    public static MigrationSender connect(
            MigrationAddress to,
            StreamSecurity security,
            StreamOptions options,
            MemoryDescription memory,
            BandwidthLimit limit,
            CancelToken cancel)
            throws IOException {
        MigrationSender sender = new MigrationSender(to, security, options, memory, limit, cancel);
        cancel.onCancel(sender::wake);
        try {
            sender.open(options.patience());
            return sender;
        } catch (IOException | RuntimeException e) {
            sender.close();
            throw e;
        }
    }

    private void step(SourceState.Event event) throws StreamFault {
        state = SourceState.next(state, event);
    }

    /** @param patience the limit for the answer on each connection */
    private SourceLink.Answer open(Duration patience) throws IOException {
        boolean first = state instanceof SourceState.Unconnected;
        Greeting main = connector.main(patience);
        SourceLink opened;
        ScheduledFuture<?> impatience;
        try {
            opened = new SourceLink(main, timer, options);
            impatience = timer.schedule(
                    () -> opened.fail(new IOException(to + " did not answer in time")),
                    patience.toNanos(),
                    TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            main.close();
            throw new IOException("the migration was closed", e);
        }
        step(new SourceState.Event.Connected(opened));
        if (cancel.isCancelled()) {
            opened.cancel();
        }
        OwingSource owed = owing;
        if (owed != null) {
            opened.serve(owed);
        }
        opened.say(writer -> {
            if (first) {
                writer.chunk(ChunkType.MEMORY, 0, 0, memory.encode());
            } else {
                writer.chunk(ChunkType.RESUME, state.done().number(), 0);
            }
            writer.flush();
        });
        SourceLink.Answer answer = opened.await(ChunkType.ACCEPTED);
        impatience.cancel(false);
        Phase phase = Phase.of(answer.count());
        if (phase == Phase.RECEIVING) {
            for (int i = 0; i < options.channels(); i++) {
                attach(opened, i, patience);
            }
        } else if (owed != null) {
            resumeOwing(opened, owed, patience);
        }
        step(new SourceState.Event.Accepted(answer.first(), phase));
        return answer;
    }

    /** STR-PST-7 */
    private void resumeOwing(SourceLink opened, OwingSource owed, Duration patience) throws IOException {
        PageBits missing = opened.awaitMissing();
        missing.and(owed.promised());
        opened.say(writer -> OwedPieces.write(missing, writer));
        for (int i = 0; i < options.channels(); i++) {
            attach(opened, i, patience);
        }
        owed.begin(opened, channels, missing);
    }

    private void attach(SourceLink opened, int number, Duration patience) throws IOException {
        if (channels.size() == number) {
            Compressor compressor = features().contains(StreamFeature.ZSTD) ? new Compressor() : null;
            channels.add(new SenderChannel(memory, compressor, limit));
        }
        channels.get(number).attach(opened, connector.data(opened, number, patience));
    }

    /** The data connections, which carry pages in parallel. The objects stay the same when the source connects again. */
    public List<PageSink> channels() {
        return List.copyOf(channels);
    }

    /** The destination: the name that its certificate proves, or its address. */
    public String destination() {
        return link().main().wire().peer();
    }

    /** The features that both ends agreed on. */
    public Set<StreamFeature> features() {
        return Set.copyOf(link().main().features());
    }

    /** The bytes that the data connections have sent to the network, with headers. Any thread may call this. */
    public long sent() {
        long sent = 0;
        for (SenderChannel channel : channels) {
            sent += channel.sent();
        }
        return sent;
    }

    /**
     * Ends a round: returns when the destination has applied everything that was sent, so that later pages can't be
     * overtaken by it (STR-RND-3). No channel may be in use.
     *
     * @return the number of rounds so far
     * @throws IOException if the destination refuses, or the connection is lost
     */
    public long endRound() throws IOException {
        SourceState.Rounds done = state.done();
        List<byte[]> digests = new ArrayList<>();
        for (SenderChannel channel : channels) {
            digests.add(channel.endRound(done.number() + 1));
        }
        step(new SourceState.Event.RoundSent(RoundDigest.chain(done.digest(), digests)));
        SourceLink.Answer answer = link().await(ChunkType.ROUND_DONE);
        step(new SourceState.Event.RoundDone(answer.first(), answer.payload()));
        return state.done().number();
    }

    /** True if both ends agreed that the guest may begin at the destination before its memory is there. */
    public boolean mayOwe() {
        return features().contains(StreamFeature.POSTCOPY) && mayReconnect() && options.channels() > 1;
    }

    /**
     * Announces the pages that come after the guest has begun at the destination, as far as they are known while the guest
     * runs here (STR-PST-2). Call it after the last round. Returns when the destination listens: a thread that touches one
     * of these pages there waits.
     *
     * @param pages whose present content the destination does not have
     * @param from has the pages later; must not change from {@link #finish} on, unless the migration fails before {@link
     *     #handOver}
     * @throws IOException if the destination can't do without these pages, or the connection is lost
     */
    public void promise(PageBits pages, GuestPages from) throws IOException {
        if (!mayOwe()) {
            throw new IllegalStateException("post-copy was not agreed on");
        }
        step(new SourceState.Event.PromiseSent());
        OwingSource owed = new OwingSource(from, pages);
        owing = owed;
        SourceLink current = link();
        current.serve(owed);
        current.say(writer -> OwedPieces.write(pages, writer));
        current.await(ChunkType.LISTENING);
    }

    /**
     * Announces all owed pages. Call it once, after {@link #promise} and before the states of devices.
     *
     * @param pages all owed pages, now that the guest is paused
     * @throws IOException if the connection is lost
     */
    public void owe(PageBits pages) throws IOException {
        OwingSource owed = owing;
        if (owed == null) {
            throw new IllegalStateException("nothing was promised");
        }
        PageBits more = new PageBits(pages.pages());
        more.copyOf(pages);
        more.andNot(owed.promised());
        owed.promise(more);
        link().say(writer -> OwedPieces.write(more, writer));
    }

    /** The number of owed pages that have not been sent. 0 without post-copy. */
    public long owed() {
        OwingSource owed = owing;
        return owed == null ? 0 : owed.left();
    }

    /**
     * Returns a stream for the state of a device, which must be closed. After the last round; one at a time.
     *
     * @param name the same at both ends, 1 to 255 bytes of UTF-8
     * @throws IOException if the connection is lost
     */
    public OutputStream deviceState(String name) throws IOException {
        int number = state instanceof SourceState.States states ? states.begun() : 0;
        step(new SourceState.Event.StateBegun());
        return new StateStream(link(), number, name);
    }

    /**
     * Announces that everything was sent. Returns when the destination is ready to start the guest.
     *
     * @throws IOException if the destination refuses, or the connection is lost
     */
    public void finish() throws IOException {
        SourceState.Rounds done = state.done();
        for (SenderChannel channel : channels) {
            channel.end(done.number());
        }
        step(new SourceState.Event.EndSent());
        link().say(writer -> {
            // STR-DIG-3
            byte[] all =
                    RoundDigest.chain(done.digest(), List.of(writer.digest().finish()));
            writer.chunk(ChunkType.END, done.number(), 0, ByteBuffer.wrap(all));
            writer.flush();
        });
        OwingSource owed = owing;
        if (owed != null) {
            owed.begin(link(), channels, owed.promised());
        }
        link().await(ChunkType.READY);
        step(new SourceState.Event.ReadyCame());
    }

    /**
     * Hands over the guest: from now on the destination has it (STR-END-3). Returns when it runs there.
     *
     * @throws GuestGivenBackException if the destination could not start it, and will not: the source may resume it
     * @throws PeerFault if the destination has given up, and the guest may have run there: the source must not resume it
     *     (STR-END-8)
     * @throws HandoverUncertainException if the source must not resume it, because the destination may have started it
     */
    public void handOver() throws IOException {
        step(new SourceState.Event.GoSent());
        SourceLink current = link();
        try {
            sayGo(current);
            current.await(ChunkType.RUNNING);
        } catch (PeerFault e) {
            // STR-END-8: the message may be that a guest has ended which ran there.
            boolean mayHaveRun = owing != null && state instanceof SourceState.LetGo letGo && letGo.began();
            throw mayHaveRun ? e : new GuestGivenBackException(e);
        } catch (IOException e) {
            throw uncertain(e);
        }
        step(new SourceState.Event.RunningCame(owing != null));
        if (owing == null) {
            sayHeard(current);
        }
    }

    /**
     * Sends GO. The destination may have answered, and closed the connection, before it reads GO (STR-PST-12). So a failure
     * here is ignored, and the wait for RUNNING fails.
     */
    private static void sayGo(SourceLink current) {
        try {
            current.say(writer -> {
                writer.chunk(ChunkType.GO, 0, 0);
                writer.flush();
            });
        } catch (IOException e) {
            LOG.debug("GO may not have been sent", e);
        }
    }

    /** STR-END-6 */
    private static void sayHeard(SourceLink current) {
        try {
            current.write(writer -> {
                writer.chunk(ChunkType.HEARD, 0, 0);
                writer.flush();
            });
        } catch (IOException e) {
            LOG.debug("the destination may wait for a source that needs no more messages", e);
        }
    }

    /**
     * After {@link #handOver}: returns when all owed pages have arrived (STR-PST-6), at once if none are owed.
     *
     * @param meanwhile runs from time to time
     * @throws IOException if the connection was lost: the guest waits at the destination for pages, until {@link #reconnect}
     */
    public void awaitArrived(Runnable meanwhile) throws IOException {
        if (state instanceof SourceState.Owing) {
            link().awaitArrived(meanwhile);
            step(new SourceState.Event.AllArrived());
            sayHeard(link());
        }
    }

    private HandoverUncertainException uncertain(IOException e) {
        return new HandoverUncertainException(
                "the guest was handed over to " + to
                        + ", and the connection broke before the destination reported that it runs (" + e.getMessage()
                        + "). It is paused here. Check there: if it runs, end the VMM here; if it does not, end the"
                        + " VMM there, and then resume the guest in the VMM here (cont); never let both run",
                e);
    }

    /** True if both ends agreed that the source may connect again after a lost connection (STR-RES-7). */
    public boolean mayReconnect() {
        return features().contains(StreamFeature.RESUME);
    }

    /**
     * After a lost connection: tries for some time to connect again. Everything that was sent after the destination's
     * complete rounds must be sent again, and all device states if it is not ready.
     *
     * @param within how long to try
     * @throws IOException if no destination answers in time, or resumption was not agreed on or is refused
     * @throws HandoverUncertainException if that happens after the guest was handed over (STR-RES-6)
     */
    public ResumePoint reconnect(Duration within) throws IOException {
        boolean letGo = hasLetGo();
        link().close();
        try {
            if (!mayReconnect()) {
                throw new StreamFault(
                        "the two ends did not negotiate that a migration may be resumed after a lost connection");
            }
            return tryToResume(System.nanoTime() + within.toNanos());
        } catch (IOException e) {
            // The refusal may come from another destination than the one that got the guest.
            throw letGo ? uncertain(e) : e;
        }
    }

    private boolean hasLetGo() {
        SourceState now = state instanceof SourceState.Connecting connecting ? connecting.before() : state;
        return now instanceof SourceState.LetGo;
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
        if (owing != null) {
            // Its threads must not use channels that get new connections.
            owing.close();
        }
        Duration left = Duration.ofNanos(Math.max(1, end - System.nanoTime()));
        SourceLink.Answer answer = open(left.compareTo(options.patience()) < 0 ? left : options.patience());
        return new ResumePoint(state.done().number(), Phase.of(answer.count()) != Phase.RECEIVING);
    }

    /** Called when the migration is cancelled. */
    private void wake() {
        givenUp.countDown();
        SourceLink current = state.link();
        if (current != null) {
            current.cancel();
        }
    }

    /** Gives up the migration. The destination gets the reason, unless it was told already. Not after {@link #handOver}. */
    public void abort(String reason) {
        SourceLink current = state.link();
        if (current != null) {
            current.sayGoodbye(reason);
        }
        close();
    }

    private SourceLink link() {
        return requireNonNull(state.link(), "connected");
    }

    /** Ends all connections and threads. Without {@link #handOver} before, the destination drops what it has. */
    @Override
    public void close() {
        givenUp.countDown();
        timer.shutdownNow();
        SourceLink current = state.link();
        if (current != null) {
            current.close();
        }
        if (owing != null) {
            owing.close();
        }
        channels.forEach(SenderChannel::close);
    }
}
