package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.exomem.backend.http.SocketBuffers;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmTable;
import org.exomem.cli.text.FileFault;
import org.exomem.linux.Fd;
import org.exomem.linux.OwnPath;
import org.exomem.linux.OwnerOnlySocket;
import org.exomem.linux.StaleSocket;
import org.exomem.linux.UnixSockets;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves QMP on a Unix socket to which only its owner has access. One thread for all clients. Safe for use by several
 * threads.
 */
// Netty's loop logs the exceptions of its tasks. No task is waited for.
@SuppressWarnings("FutureReturnValueIgnored")
public final class ControlServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlServer.class);
    private static final int RECEIVE_BYTES = 4096;
    /** Java's sockets, over which exomem's commands connect, allow one byte less than Linux. */
    private static final int MAX_PATH_BYTES = UnixSockets.MAX_PATH_BYTES - 1;

    private static final Duration EVENT_INTERVAL = Duration.ofSeconds(1);

    private final Path path;
    private final MultiThreadIoEventLoopGroup loop =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("control"), EpollIoHandler.newFactory());
    private final Set<ControlConnection> connections = new LinkedHashSet<>();
    private final EventThrottle throttle = new EventThrottle(
            EVENT_INTERVAL, (delay, task) -> loop.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS));

    /** The last event of each kind that was not sent to clients yet. */
    private final Map<String, Change> changes = new ConcurrentHashMap<>();

    private final Commands commands;
    private final ClientLimit limit;
    private final Refusals refusals = new Refusals();
    private @Nullable Channel listening;
    private @Nullable OwnPath made;

    private record Change(VmEvent event, Instant when) {}

    private ControlServer(Path path, Commands commands, ClientLimit limit) {
        this.path = path;
        this.commands = commands;
        this.limit = limit;
    }

    /**
     * Starts to listen.
     *
     * @param vms the VMs that are served
     * @param process executes commands about the process itself
     * @throws IOException if another process listens on the path, or it is no socket, or can't be made
     */
    public static ControlServer listen(Path path, VmTable vms, Migrations migrations, ProcessControl process)
            throws IOException {
        return listen(path, new Commands(vms, migrations, process), new ClientLimit(vms, process::descriptors));
    }

    /**
     * Serves on a socket that listens already, and that stays at its path when this ends (CTL-23).
     *
     * @param descriptor owned from now on, also on failure
     * @param path where clients find it, for people
     * @throws IOException if it is no listening Unix stream socket
     */
    public static ControlServer inherit(
            Fd descriptor, Path path, VmTable vms, Migrations migrations, ProcessControl process) throws IOException {
        ControlServer server = new ControlServer(
                path, new Commands(vms, migrations, process), new ClientLimit(vms, process::descriptors));
        try {
            if (UnixSockets.roleOf(descriptor) != UnixSockets.Role.LISTENING) {
                throw new IOException("control socket: " + descriptor + " is not a listening socket");
            }
            descriptor.setNonBlocking();
            server.listenOn(bootstrap -> bootstrap
                    .channelFactory(() -> new EpollServerDomainSocketChannel(descriptor.number()))
                    .register());
            // Netty regards a socket that it did not bind as not ready.
            Objects.requireNonNull(server.listening).read();
            return server;
        } catch (IOException | RuntimeException e) {
            descriptor.close();
            server.commands.close();
            server.loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
            throw e;
        }
    }

    static ControlServer listen(Path path, Commands commands, ClientLimit limit) throws IOException {
        ControlServer server = new ControlServer(path, commands, limit);
        try {
            server.bind();
            return server;
        } catch (IOException | RuntimeException e) {
            commands.close();
            server.loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
            throw e;
        }
    }

    private void bind() throws IOException {
        SocketPath.makeFolder(path);
        StaleSocket.remove(path);
        if (path.getParent() instanceof Path folder && !Files.isDirectory(folder)) {
            throw new IOException("control socket " + path + " can't be created: there is no folder " + folder);
        }
        int tooLong = bytes(path) - MAX_PATH_BYTES;
        if (tooLong > 0) {
            throw new IOException("control socket " + path + " can't be created: its path is " + tooLong
                    + " bytes too long; the limit is " + MAX_PATH_BYTES + " bytes");
        }
        try {
            made = OwnerOnlySocket.bind(path, this::bindAt);
        } catch (Exception e) {
            throw new IOException("control socket " + path + " can't be created: " + FileFault.text(e), e);
        }
    }

    private void bindAt(Path at) {
        listenOn(bootstrap ->
                bootstrap.channel(EpollServerDomainSocketChannel.class).bind(new DomainSocketAddress(at.toFile())));
    }

    private void listenOn(Function<ServerBootstrap, ChannelFuture> begin) {
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(loop)
                .childOption(ChannelOption.ALLOCATOR, SocketBuffers.ALLOCATOR)
                .childOption(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(RECEIVE_BYTES))
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new ClientInitializer());
        listening = begin.apply(bootstrap).syncUninterruptibly().channel();
        // Behind netty's own handler, which stops accepting for a second if there is no descriptor for a client.
        listening.pipeline().addLast(refusals);
    }

    private static int bytes(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8).length;
    }

    /** Greets each client and adds it to the clients. */
    private final class ClientInitializer extends ChannelInitializer<UnixChannel> {
        @Override
        protected void initChannel(UnixChannel channel) {
            long most = limit.most();
            if (connections.size() >= most) {
                refusals.tooMany(most);
                refuse(channel, most);
                return;
            }
            ControlConnection connection = new ControlConnection(commands, greeting());
            connections.add(connection);
            channel.closeFuture().addListener(closed -> connections.remove(connection));
            channel.pipeline().addLast(connection);
        }

        private static void refuse(UnixChannel channel, long most) {
            JsonNode error = ControlConnection.error(QmpException.generic("this control socket has " + most
                    + " clients, and accepts no more: the remaining file descriptors are reserved for VMs"));
            channel.writeAndFlush(Unpooled.wrappedBuffer(Json.line(error))).addListener(ChannelFutureListener.CLOSE);
        }
    }

    /** Logs refused clients, at most once a second. On the control socket's loop. */
    private static final class Refusals extends ChannelInboundHandlerAdapter {
        private long toldAt = System.nanoTime() - EVENT_INTERVAL.toNanos();

        void tooMany(long most) {
            tell("it has " + most
                    + " clients, and accepts no more: the remaining file descriptors are reserved for VMs");
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            tell("can't accept a client: " + cause.getMessage());
        }

        private void tell(String what) {
            long now = System.nanoTime();
            if (now - toldAt >= EVENT_INTERVAL.toNanos()) {
                toldAt = now;
                LOG.warn("control socket: {}", what);
            }
        }
    }

    private static JsonNode greeting() {
        ObjectNode greeting = Json.object();
        ObjectNode qmp = greeting.putObject("QMP");
        qmp.set("version", Version.current().describe());
        qmp.putArray("capabilities");
        return greeting;
    }

    /** Sends an event to all clients. Any thread may call this. Does not wait. */
    public void publish(VmEvent event) {
        Change change = new Change(event, Instant.now());
        Optional<String> limit = EventText.limit(event);
        if (limit.isEmpty()) {
            loop.execute(() -> {
                // The last event of the device's front-end comes before the end of the device itself.
                sendLatest(EventText.connectionLimit(event));
                send(change);
            });
            return;
        }
        // A guest that inflates changes its size hundreds of times a second, and waits for each acknowledgement. So
        // only the first change since the last event wakes up this thread.
        if (changes.put(limit.get(), change) == null) {
            loop.execute(() -> throttle.submit(limit.get(), () -> sendLatest(limit.get())));
        }
    }

    /** Runs a task on the control socket's thread when it gets to it. Any thread may call this. */
    public void whenLoopIsFree(Runnable task) {
        loop.execute(task);
    }

    private void sendLatest(String limit) {
        Change latest = changes.remove(limit);
        if (latest != null) {
            send(latest);
        }
    }

    private void send(Change change) {
        ObjectNode event = EventText.event(EventText.name(change.event), EventText.data(change.event), change.when);
        // A copy, because a client that has left is removed during the loop.
        List.copyOf(connections).forEach(connection -> connection.event(event));
    }

    /** Completes when the control socket's thread has executed a task. Any thread may call this. */
    public CompletableFuture<Void> answers() {
        CompletableFuture<Void> answer = new CompletableFuture<>();
        whenLoopIsFree(() -> answer.complete(null));
        return answer;
    }

    /** Disconnects all clients and removes the socket. */
    @Override
    public void close() {
        try {
            if (made != null) {
                made.remove();
            }
        } catch (IOException e) {
            // A remaining socket does no harm: the next process finds that no process listens there, and removes it.
        }
        Channel accepting = listening;
        if (accepting != null) {
            accepting.close().syncUninterruptibly();
        }
        commands.close();
        loop.submit(() -> List.copyOf(connections).forEach(ControlConnection::close))
                .syncUninterruptibly();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
