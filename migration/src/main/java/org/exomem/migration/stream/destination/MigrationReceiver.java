package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.exomem.linux.OwnPath;
import org.exomem.linux.OwnerOnlySocket;
import org.exomem.linux.StaleSocket;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Timers;
import org.exomem.migration.stream.wire.Wire;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The destination of one migration: listens, refuses peers that are not a trusted and compatible source, and receives from
 * the first one that is. Safe for use by several threads.
 */
public final class MigrationReceiver implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MigrationReceiver.class);
    /** The most connections at a time: all connections of a source, before and after a lost connection, and some others. */
    private static final int MOST_CONNECTIONS = 3 * Preamble.MOST_CHANNELS;

    private static final long CLOSE_SECONDS = 3;
    private static final Duration FOREVER = Duration.ofDays(1000);

    private final ServerSocketChannel server;
    private final MigrationAddress address;
    private final @Nullable OwnPath made;
    private final StreamSecurity security;
    private final StreamOptions options;
    private final Destination destination;
    private final ScheduledExecutorService timer = Timers.start();
    private final SingleMigration migration;
    private final CompletableFuture<Void> cancelled = new CompletableFuture<>();
    private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
    private final Set<SocketChannel> sockets = ConcurrentHashMap.newKeySet();
    /** The sockets that do not belong to a migration yet. */
    private final Set<SocketChannel> strangers = ConcurrentHashMap.newKeySet();

    private volatile boolean closed;

    private MigrationReceiver(
            ServerSocketChannel server,
            MigrationAddress address,
            StreamSecurity security,
            StreamOptions options,
            Destination destination,
            @Nullable OwnPath made) {
        this.server = server;
        this.made = made;
        this.address = address;
        this.security = security;
        this.options = options;
        this.destination = destination;
        this.migration = new SingleMigration(destination, options, timer);
    }

    /**
     * Listens. Sources may connect when this returns.
     *
     * @param at port 0 for any free port
     * @throws IOException if it can't listen, or the address is not protected (STR-SEC-1)
     */
    public static MigrationReceiver listen(
            MigrationAddress at, StreamSecurity security, StreamOptions options, Destination destination)
            throws IOException {
        return listen(at, security, options, destination, Optional.empty());
    }

    /**
     * As {@link #listen(MigrationAddress, StreamSecurity, StreamOptions, Destination)}, to go on with a migration.
     *
     * @param begun the migration that an earlier process has begun; only its source is accepted then
     */
    public static MigrationReceiver listen(
            MigrationAddress at,
            StreamSecurity security,
            StreamOptions options,
            Destination destination,
            Optional<BegunMigration> begun)
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
            OwnPath made = null;
            if (at instanceof MigrationAddress.Local local) {
                made = OwnerOnlySocket.bind(
                        Path.of(local.path()), path -> server.bind(UnixDomainSocketAddress.of(path)));
            } else {
                server.bind(socketAddress);
            }
            MigrationAddress actual = at instanceof MigrationAddress.Network network
                    ? new MigrationAddress.Network(
                            network.host(), ((InetSocketAddress) server.getLocalAddress()).getPort())
                    : at;
            MigrationReceiver receiver = new MigrationReceiver(server, actual, security, options, destination, made);
            if (begun.isPresent()) {
                receiver.migration.takeUp(begun.get());
            }
            receiver.start("migration-accept", receiver::accept);
            return receiver;
        } catch (IOException e) {
            Closing.quietly(server);
            throw new IOException("can't listen at " + at + ": " + e.getMessage(), e);
        }
    }

    /** The address, with the actual port. */
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
            CompletableFuture.anyOf(cancelled, migration.outcome().handle((received, failure) -> true))
                    .get();
            if (cancelled.isDone()) {
                close();
            }
            return migration.outcome().get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException io
                    ? again(io)
                    : new IOException("internal error of exomem: " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for a migration");
        }
    }

    private static IOException again(IOException e) {
        return e instanceof MigrationFailure failure ? failure.again() : new IOException(MigrationFailure.text(e), e);
    }

    /**
     * After {@link #receive}: waits until the source has confirmed that its guest runs here, and answers it if it connects
     * again to ask. Without a limit if pages were owed, because then the source tries to connect without a limit. Otherwise
     * no longer than the source may take to detect a lost connection and to connect again. Ends at {@link #cancel}.
     */
    public void awaitHeard() {
        ReceivingSession current = migration.session();
        if (current == null || options.resumeWithin().isZero()) {
            return;
        }
        Duration limit = current.owes()
                ? FOREVER
                : options.resumeWithin().plus(options.patience().multipliedBy(2));
        try {
            CompletableFuture.anyOf(cancelled, current.heard()).get(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("the source may not know that its guest runs here", e);
        }
    }

    /**
     * Makes {@link #receive} close this, and fail unless the source has handed over the guest. Any thread may call this.
     * Does not wait.
     */
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
                    Closing.quietly(socket);
                    continue;
                }
                sockets.add(socket);
                strangers.add(socket);
                start("migration-connection", () -> serve(socket));
            } catch (IOException e) {
                if (!closed) {
                    migration
                            .outcome()
                            .completeExceptionally(new IOException(
                                    "can't listen at " + address + " any longer: " + e.getMessage(), e));
                }
                return;
            }
        }
    }

    private void serve(SocketChannel socket) {
        ScheduledFuture<?> deadline = null;
        String who = "a process";
        try {
            // STR-PRE-6
            deadline = timer.schedule(
                    () -> Closing.quietly(socket), options.patience().toNanos(), TimeUnit.NANOSECONDS);
            if (address instanceof MigrationAddress.Network) {
                socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
            }
            who = MigrationAddress.text(socket.getRemoteAddress());
            Wire wire = security.incoming(socket);
            who = wire.peer();
            ScheduledFuture<?> limit = deadline;
            new IncomingConnection(wire, migration, options, timer, () -> {
                        limit.cancel(false);
                        strangers.remove(socket);
                    })
                    .serve();
        } catch (IOException e) {
            turnAway(who, e);
        } catch (RejectedExecutionException e) {
            LOG.debug("a connection was made while this destination closed", e);
        } catch (RuntimeException e) {
            LOG.error("a connection of a migration failed by an internal error of exomem", e);
        } finally {
            if (deadline != null) {
                deadline.cancel(false);
            }
            Closing.quietly(socket);
            strangers.remove(socket);
            sockets.remove(socket);
        }
    }

    private void turnAway(String who, IOException why) {
        if (!closed) {
            destination.turnedAway(who, why);
        }
    }

    /**
     * Stops listening and everything else. A migration that was not handed over yet fails. Returns when all threads have
     * ended.
     */
    @Override
    public void close() {
        closed = true;
        if (made != null) {
            try {
                // While it is still open, so that its inode number can't belong to another socket.
                made.remove();
            } catch (IOException e) {
                LOG.debug("removing {}", made, e);
            }
        }
        Closing.quietly(server);
        ReceivingSession current = migration.session();
        strangers.forEach(Closing::quietly);
        if (current != null) {
            current.stop();
        }
        // The last messages must reach the source before its connection ends.
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(CLOSE_SECONDS);
        threads.forEach(thread -> join(thread, end));
        sockets.forEach(Closing::quietly);
        timer.shutdownNow();
        threads.forEach(thread -> join(thread, end + TimeUnit.SECONDS.toNanos(CLOSE_SECONDS)));
        migration.outcome().completeExceptionally(new IOException("the destination at " + address + " was closed"));
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
