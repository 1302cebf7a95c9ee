package org.exomem.migration.stream.destination;

import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.System.Logger.Level;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.exomem.linux.OwnPath;
import org.exomem.linux.StaleSocket;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.Quietly;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Timers;
import org.exomem.migration.stream.wire.Wire;
import org.jspecify.annotations.Nullable;

/**
 * The destination of one migration: listens, turns away what is not a source that it can trust and understand, and receives
 * the first one that is. Safe for use by several threads.
 */
public final class MigrationReceiver implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(MigrationReceiver.class.getName());
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String OTHER = "source";
    private static final UUID NOBODY = new UUID(0, 0);
    /** Connections at a time: all that a source may have, before and after a cut, and some that are nothing. */
    private static final int MOST_CONNECTIONS = 3 * Preamble.MOST_CHANNELS;

    private static final long GOODBYE_SECONDS = 3;

    private final ServerSocketChannel server;
    private final MigrationAddress address;
    private final StreamSecurity security;
    private final StreamOptions options;
    private final Destination destination;
    private final ScheduledExecutorService timer = Timers.start();
    private final CompletableFuture<ReceivedMigration> outcome = new CompletableFuture<>();
    private final CompletableFuture<Void> cancelled = new CompletableFuture<>();
    private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
    private final Set<SocketChannel> sockets = ConcurrentHashMap.newKeySet();
    /** Those that belong to no migration yet. */
    private final Set<SocketChannel> strangers = ConcurrentHashMap.newKeySet();

    private @Nullable ReceivingSession session;
    private boolean taken;
    private volatile boolean closed;
    private volatile @Nullable OwnPath made;

    private MigrationReceiver(
            ServerSocketChannel server,
            MigrationAddress address,
            StreamSecurity security,
            StreamOptions options,
            Destination destination) {
        this.server = server;
        this.address = address;
        this.security = security;
        this.options = options;
        this.destination = destination;
    }

    /**
     * Listens; sources may connect when this returns.
     *
     * @param at port 0 takes any that is free
     */
    public static MigrationReceiver listen(
            MigrationAddress at, StreamSecurity security, StreamOptions options, Destination destination)
            throws IOException {
        SocketAddress socketAddress = at.resolve();
        security.check(socketAddress, options.plainAllowed());
        if (at instanceof MigrationAddress.Local local) {
            StaleSocket.remove(Path.of(local.path()));
        }
        boolean internet = socketAddress instanceof InetSocketAddress;
        ServerSocketChannel server =
                internet ? ServerSocketChannel.open() : ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            if (internet) {
                server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            }
            server.bind(socketAddress);
            MigrationAddress actual = at instanceof MigrationAddress.Network network
                    ? new MigrationAddress.Network(
                            network.host(), ((InetSocketAddress) server.getLocalAddress()).getPort())
                    : at;
            MigrationReceiver receiver = new MigrationReceiver(server, actual, security, options, destination);
            if (at instanceof MigrationAddress.Local local) {
                receiver.made = OwnPath.of(Path.of(local.path()));
            }
            receiver.start("migration-accept", receiver::accept);
            return receiver;
        } catch (IOException e) {
            Quietly.close(server);
            throw new IOException("can't listen at " + at + ": " + e.getMessage(), e);
        }
    }

    /** Where it listens, with the port that it really has. */
    public MigrationAddress address() {
        return address;
    }

    /**
     * Waits until a migration was received and its guest runs here.
     *
     * @throws IOException if the migration failed, after {@link Destination#failed}; or this was cancelled or closed
     */
    public ReceivedMigration receive() throws IOException {
        try {
            CompletableFuture.anyOf(cancelled, outcome.handle((received, failure) -> true))
                    .get();
            if (cancelled.isDone()) {
                close();
            }
            return outcome.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException io
                    ? again(io)
                    : new IOException("a fault of exomem itself: " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for a migration");
        }
    }

    private static IOException again(IOException e) {
        return e instanceof MigrationFailure failure ? failure.again() : new IOException(MigrationFailure.text(e), e);
    }

    /**
     * After {@link #receive}: waits until the source has heard that its guest runs here, and answers it if it has to come back
     * to ask; no longer than it may take to notice a cut and is given to come back then, nor after {@link #cancel}.
     */
    public void awaitHeard() {
        ReceivingSession current;
        synchronized (this) {
            current = session;
        }
        if (current == null || options.resumeWithin().isZero()) {
            return;
        }
        Duration limit = options.resumeWithin().plus(options.patience().multipliedBy(2));
        try {
            CompletableFuture.anyOf(cancelled, current.heard()).get(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.log(Level.DEBUG, "the source may not know that its guest runs here", e);
        }
    }

    /** Makes {@link #receive} close this, and fail unless the source has let go of the guest; from any thread, waits for nothing. */
    public void cancel() {
        cancelled.complete(null);
    }

    private void start(String name, Runnable work) {
        Thread thread = Thread.ofPlatform().name(name).daemon().unstarted(() -> {
            try {
                work.run();
            } finally {
                threads.remove(Thread.currentThread());
            }
        });
        threads.add(thread);
        thread.start();
    }

    private void accept() {
        while (!closed) {
            try {
                SocketChannel socket = server.accept();
                if (sockets.size() >= MOST_CONNECTIONS) {
                    Quietly.close(socket);
                    continue;
                }
                sockets.add(socket);
                strangers.add(socket);
                start("migration-connection", () -> serve(socket));
            } catch (IOException e) {
                if (!closed) {
                    outcome.completeExceptionally(
                            new IOException("can't listen at " + address + " any more: " + e.getMessage(), e));
                }
                return;
            }
        }
    }

    private void serve(SocketChannel socket) {
        ScheduledFuture<?> deadline = null;
        String who = "somebody";
        try {
            deadline = timer.schedule(
                    () -> Quietly.close(socket), options.patience().toNanos(), TimeUnit.NANOSECONDS);
            if (address instanceof MigrationAddress.Network) {
                socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
            }
            who = String.valueOf(socket.getRemoteAddress());
            Wire wire = security.incoming(socket);
            who = wire.peer();
            new Arrival(wire, socket, deadline).serve();
        } catch (IOException e) {
            turnAway(who, e);
        } catch (RejectedExecutionException e) {
            LOG.log(Level.DEBUG, "somebody came while this destination closed", e);
        } catch (RuntimeException e) {
            LOG.log(Level.ERROR, "a connection of a migration failed by a fault of exomem itself", e);
        } finally {
            if (deadline != null) {
                deadline.cancel(false);
            }
            Quietly.close(socket);
            strangers.remove(socket);
            sockets.remove(socket);
        }
    }

    private void turnAway(String who, IOException why) {
        if (!closed) {
            destination.turnedAway(who, why);
        }
    }

    /** A connection that was just made. */
    private final class Arrival {
        private final Wire wire;
        private final SocketChannel socket;
        private final ScheduledFuture<?> deadline;

        Arrival(Wire wire, SocketChannel socket, ScheduledFuture<?> deadline) {
            this.wire = wire;
            this.socket = socket;
            this.deadline = deadline;
        }

        void serve() throws IOException {
            ChunkWriter writer = writer(0);
            try {
                Preamble theirs = greeted();
                Preamble mine = answer(theirs);
                mine.send(wire);
                writer = writer(theirs.sequence());
                Set<StreamFeature> features = StreamFeature.agree(mine, theirs, OTHER);
                if (theirs.role() == Preamble.Role.MAIN) {
                    ChunkReader reader = new ChunkReader(wire, mine.sequence(), ChunkType.Limits.CONTROL);
                    serveMain(theirs, new ReceivingLink(wire, writer, features, theirs.channels()), reader);
                } else {
                    serveData(theirs, writer, mine.sequence());
                }
            } catch (IOException e) {
                if (e instanceof StreamFault || e instanceof DestinationFault) {
                    refuse(writer, e);
                }
                throw e;
            }
        }

        /** It is one of a migration: it may take its time, and is not hung up on without a word. */
        private void isKnown() {
            deadline.cancel(false);
            strangers.remove(socket);
        }

        private ChunkWriter writer(long sequence) {
            return new ChunkWriter(wire, sequence, new BandwidthLimit(BandwidthLimit.NONE), null, false);
        }

        private Preamble greeted() throws IOException {
            try {
                return Preamble.receive(wire, OTHER);
            } catch (StreamFault e) {
                // It should see at least who it talks to, and then why that did not work.
                mine(Preamble.Role.MAIN, 0, NOBODY, 1).send(wire);
                throw e;
            }
        }

        private Preamble answer(Preamble theirs) {
            return mine(theirs.role(), theirs.channel(), theirs.migration(), theirs.channels());
        }

        private Preamble mine(Preamble.Role role, int channel, UUID migration, int channels) {
            return new Preamble(
                    Preamble.VERSION,
                    Preamble.VERSION,
                    role,
                    channel,
                    StreamFeature.bits(options.offered()),
                    StreamFeature.bits(options.required()),
                    migration,
                    RANDOM.nextLong(),
                    channels);
        }

        private void refuse(ChunkWriter writer, IOException why) {
            try {
                writer.error(String.valueOf(why.getMessage()));
                wire.finishWriting();
                drain();
            } catch (IOException e) {
                LOG.log(Level.DEBUG, "a source that was turned away did not wait for the reason", e);
            }
        }

        /** Reads until the other end hangs up: if we did first, what we said last might be lost. */
        private void drain() {
            ScheduledFuture<?> end;
            try {
                end = timer.schedule(wire::close, GOODBYE_SECONDS, TimeUnit.SECONDS);
            } catch (RejectedExecutionException e) {
                LOG.log(Level.DEBUG, "no time for a goodbye: this destination is closed", e);
                return;
            }
            ByteBuffer nothing = ByteBuffer.allocate(1 << 14);
            try {
                while (wire.read(nothing.clear()) >= 0) {
                    nothing.clear();
                }
            } catch (IOException e) {
                LOG.log(Level.DEBUG, "the source hung up", e);
            } finally {
                end.cancel(false);
            }
        }

        private void serveMain(Preamble theirs, ReceivingLink link, ChunkReader reader) throws IOException {
            if (!reader.next()) {
                throw new EOFException("the source ended the connection before it said what it has");
            }
            ReceivingSession mine = switch (reader.type()) {
                case MEMORY -> adopt(theirs, link, reader);
                case RESUME -> comeBack(theirs, link);
                case ERROR -> throw new PeerFault("the source gave up: " + reader.text());
                default ->
                    throw new StreamFault(
                            "the source began with " + reader.type() + " instead of a description of its memory");
            };
            isKnown();
            LivenessWatch watch = new LivenessWatch(
                    timer,
                    options.patience(),
                    () -> link.say(writer -> writer.chunk(ChunkType.ALIVE, 0, 0)),
                    () -> mine.fail(link, new IOException("the source has said nothing for too long")));
            try {
                link.say(writer -> writer.chunk(
                        ChunkType.ACCEPTED, mine.rounds(), mine.phase().number()));
                new MainReceiver(mine, link, reader, watch).run();
            } catch (IOException e) {
                mine.fail(link, e);
            } catch (RuntimeException | Error e) {
                mine.fail(link, fault(e));
            } finally {
                watch.close();
                drain();
                link.close();
                mine.leave(link);
            }
        }

        private ReceivingSession adopt(Preamble theirs, ReceivingLink link, ChunkReader reader) throws IOException {
            MemoryDescription memory = MemoryDescription.decode(reader.payload());
            reserve();
            try {
                PageTarget target = destination.open(memory, wire.peer());
                ReceivingSession opened = new ReceivingSession(
                        theirs.migration(), wire.peer(), memory, destination, target, options, timer);
                opened.begin(link);
                begin(opened);
                return opened;
            } catch (IOException e) {
                release();
                throw new DestinationFault("the destination does not take this memory", e);
            } catch (RuntimeException e) {
                release();
                throw fault(e);
            }
        }

        private ReceivingSession comeBack(Preamble theirs, ReceivingLink link) throws IOException {
            ReceivingSession known = known(theirs);
            known.resume(link);
            return known;
        }

        private void serveData(Preamble theirs, ChunkWriter writer, long sequence) throws IOException {
            ReceivingSession mine = known(theirs);
            ReceivingLink link = mine.join(wire, theirs.channel(), theirs.channels());
            isKnown();
            Thread.currentThread().setName("migration-data-" + theirs.channel());
            try {
                // Only now: it takes megabytes, which a stranger shall not have.
                ChunkReader reader = new ChunkReader(wire, sequence, ChunkType.Limits.PAGES);
                writer.chunk(ChunkType.ACCEPTED, 0, 0);
                writer.flush();
                new DataReceiver(mine, link, theirs.channel(), reader).run();
            } catch (IOException e) {
                mine.fail(link, e);
            } catch (RuntimeException | Error e) {
                // Errors too: the source waits for this round for as long as the other connections are well.
                mine.fail(link, fault(e));
            } finally {
                mine.leave(link);
            }
        }
    }

    private static DestinationFault fault(Throwable e) {
        LOG.log(Level.ERROR, "a migration failed by a fault of exomem itself", e);
        return new DestinationFault("a fault of exomem itself at the destination", e);
    }

    private synchronized void reserve() throws StreamFault {
        if (taken) {
            ReceivingSession other = session;
            throw new StreamFault(
                    other != null && other.isOver()
                            ? "this destination has received its migration; it takes no other"
                            : "this destination is receiving another migration"
                                    + (other == null ? "" : ", from " + other.source()));
        }
        taken = true;
    }

    private synchronized void release() {
        taken = false;
    }

    private synchronized void begin(ReceivingSession opened) {
        session = opened;
        opened.outcome().whenComplete((received, failure) -> {
            if (failure == null) {
                outcome.complete(received);
            } else {
                outcome.completeExceptionally(failure);
            }
        });
    }

    private synchronized ReceivingSession known(Preamble theirs) throws StreamFault {
        ReceivingSession current = session;
        if (current == null || !current.migration().equals(theirs.migration())) {
            throw new StreamFault("this destination knows nothing of that migration");
        }
        return current;
    }

    /** Stops listening and whatever goes on; a migration that was not handed over yet fails. Returns when all threads ended. */
    @Override
    public void close() {
        closed = true;
        if (made != null) {
            try {
                // While it is still open: its inode's number can't be that of another one's socket.
                made.remove();
            } catch (IOException e) {
                LOG.log(Level.DEBUG, "removing " + made, e);
            }
        }
        Quietly.close(server);
        ReceivingSession current;
        synchronized (this) {
            current = session;
        }
        strangers.forEach(Quietly::close);
        if (current != null) {
            current.stop();
        }
        // What was said last has to reach the source before its connection ends.
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(GOODBYE_SECONDS);
        threads.forEach(thread -> join(thread, end));
        sockets.forEach(Quietly::close);
        timer.shutdownNow();
        threads.forEach(thread -> join(thread, end + TimeUnit.SECONDS.toNanos(GOODBYE_SECONDS)));
        outcome.completeExceptionally(new IOException("the destination at " + address + " was closed"));
    }

    private static void join(Thread thread, long end) {
        try {
            if (thread != Thread.currentThread()) {
                thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
