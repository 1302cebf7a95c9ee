package org.exomem.backend.http;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.timeout.WriteTimeoutHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.linux.OwnPath;
import org.exomem.linux.OwnerOnlySocket;
import org.exomem.linux.StaleSocket;
import org.exomem.linux.UnixSockets;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves pages over HTTP 1.1: complete answers, and answers that go on. One thread serves all clients, and never makes a
 * page itself. Few clients are accepted, because each needs a descriptor, and descriptors are reserved for VMs. A client
 * that sends no request, or does not read, is disconnected after {@link HttpLimits}. Requests must follow {@link HostRule}
 * and {@link SiteRule}. Safe for use by several threads.
 */
// Netty's loop logs the exceptions of its tasks. No task is waited for.
@SuppressWarnings("FutureReturnValueIgnored")
public final class HttpServer implements AutoCloseable {
    /** The most clients at the same time. */
    public static final int MOST_CLIENTS = 64;
    /** The epoll, eventfd and timer of the loop. */
    private static final int LOOP_DESCRIPTORS = 3;

    private static final Logger LOG = LoggerFactory.getLogger(HttpServer.class);
    private static final int RECEIVE_BYTES = 4096;
    private static final int MOST_LINE = 2048;
    private static final int MOST_HEADERS = 8192;
    /** A stream ends when its client leaves this much unread. */
    private static final WriteBufferWaterMark UNREAD = new WriteBufferWaterMark(1 << 15, 1 << 17);

    private static final Duration HANDSHAKE_LIMIT = Duration.ofSeconds(10);

    private final String what;
    private final Map<String, HttpRoute> routes;
    private final Optional<Supplier<SSLEngine>> tls;
    private final HttpLimits limits;
    private final MultiThreadIoEventLoopGroup loop;
    private final List<Channel> listening = new ArrayList<>();
    private final List<OwnPath> made = new ArrayList<>();
    private final List<HttpAddress> addresses = new ArrayList<>();
    /** Used on the loop only. */
    private final Set<Channel> clients = new HashSet<>();

    private HttpServer(
            String what, Optional<Supplier<SSLEngine>> tls, Map<String, HttpRoute> routes, HttpLimits limits) {
        this.what = what;
        this.routes = Map.copyOf(routes);
        this.tls = tls;
        this.limits = limits;
        this.loop = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("http-" + what, true), EpollIoHandler.newFactory());
    }

    /**
     * Starts to listen, on all addresses or none.
     *
     * @param what the name of the service, in a word: for the log, for errors and for the thread
     * @param routes by path
     * @throws IOException if an address can't be listened on, or the certificates can't be used; the message names it and
     *     the reason
     * @throws IllegalArgumentException if anybody could connect, see {@link HttpConfig#isOpenToAnybody}
     */
    public static HttpServer start(String what, HttpConfig config, Map<String, HttpRoute> routes) throws IOException {
        return start(what, config, routes, HttpLimits.USUAL);
    }

    /** As above, with other limits. */
    static HttpServer start(String what, HttpConfig config, Map<String, HttpRoute> routes, HttpLimits limits)
            throws IOException {
        if (config.isOpenToAnybody()) {
            throw new IllegalArgumentException(what + " could be read by other hosts without a certificate");
        }
        Optional<Supplier<SSLEngine>> tls = Optional.empty();
        if (config.tls().isPresent()) {
            tls = Optional.of(CertificateSecurity.of(config.tls().get())::serverEngine);
        }
        HttpServer server = new HttpServer(what, tls, routes, limits);
        try {
            for (HttpAddress address : config.addresses()) {
                server.listen(address);
            }
            return server;
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
    }

    /** The addresses, with the actual ports. */
    public List<HttpAddress> addresses() {
        return List.copyOf(addresses);
    }

    /** The most descriptors that it uses. */
    public int descriptors() {
        return descriptors(listening.size());
    }

    /** The most descriptors of a server with this number of addresses. */
    public static int descriptors(int addresses) {
        return LOOP_DESCRIPTORS + addresses + MOST_CLIENTS;
    }

    /** Runs a task on the server's thread when it gets to it. Any thread may call this. */
    public void whenLoopIsFree(Runnable task) {
        loop.execute(task);
    }

    private void listen(HttpAddress address) throws IOException {
        switch (address) {
            case HttpAddress.Local(Path socket) -> {
                listen(socket);
                addresses.add(address);
            }
            case HttpAddress.Tcp(var host, int port) -> {
                Channel channel = bind(
                        bootstrap().channel(EpollServerSocketChannel.class),
                        new InetSocketAddress(host, port),
                        address);
                InetSocketAddress bound = (InetSocketAddress) channel.localAddress();
                addresses.add(new HttpAddress.Tcp(host, bound.getPort()));
            }
        }
    }

    private void listen(Path socket) throws IOException {
        HttpAddress address = new HttpAddress.Local(socket);
        if (socket.getParent() instanceof Path folder && !Files.isDirectory(folder)) {
            throw new IOException(what + " can't be served on " + address + ": there is no folder " + folder);
        }
        int bytes = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > UnixSockets.MAX_PATH_BYTES) {
            throw new IOException(what + " can't be served on " + address + ": a socket's path has at most "
                    + UnixSockets.MAX_PATH_BYTES + " bytes");
        }
        StaleSocket.remove(socket);
        made.add(OwnerOnlySocket.bind(
                socket,
                at -> bind(
                        bootstrap().channel(EpollServerDomainSocketChannel.class),
                        new DomainSocketAddress(at.toFile()),
                        address)));
    }

    private Channel bind(ServerBootstrap bootstrap, SocketAddress to, HttpAddress address) throws IOException {
        boolean secret = address instanceof HttpAddress.Tcp;
        var bound =
                bootstrap.childHandler(new ClientInitializer(secret)).bind(to).awaitUninterruptibly();
        if (bound.cause() != null) {
            throw new IOException(
                    what + " can't be served on " + address + ": " + reason(bound.cause()), bound.cause());
        }
        listening.add(bound.channel());
        return bound.channel();
    }

    /** Netty names the system call and its number before the reason. */
    private static String reason(Throwable cause) {
        String message = String.valueOf(cause.getMessage());
        return message.substring(message.indexOf("): ") < 0 ? 0 : message.indexOf("): ") + 3);
    }

    private ServerBootstrap bootstrap() {
        return new ServerBootstrap()
                .group(loop)
                .childOption(ChannelOption.ALLOCATOR, SocketBuffers.ALLOCATOR)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, UNREAD)
                .childOption(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(RECEIVE_BYTES));
    }

    private final class ClientInitializer extends ChannelInitializer<Channel> {
        private final boolean overNetwork;

        ClientInitializer(boolean overNetwork) {
            this.overNetwork = overNetwork;
        }

        @Override
        protected void initChannel(Channel channel) {
            if (clients.size() >= MOST_CLIENTS) {
                LOG.debug("{}: {} clients are connected, and no more are accepted", what, MOST_CLIENTS);
                channel.close();
                return;
            }
            clients.add(channel);
            channel.closeFuture().addListener(closed -> clients.remove(channel));
            ChannelPipeline pipeline = channel.pipeline();
            pipeline.addLast(new WriteTimeoutHandler(limits.unread().toNanos(), TimeUnit.NANOSECONDS));
            boolean secured = overNetwork && tls.isPresent();
            if (secured) {
                SslHandler ends = new SslHandler(tls.get().get());
                ends.setHandshakeTimeout(HANDSHAKE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
                pipeline.addLast(ends);
            }
            pipeline.addLast(new HttpServerCodec(new HttpDecoderConfig()
                    .setMaxInitialLineLength(MOST_LINE)
                    .setMaxHeaderSize(MOST_HEADERS)
                    .setMaxChunkSize(RECEIVE_BYTES)));
            // Requests to this server are small.
            pipeline.addLast(new HttpObjectAggregator(RECEIVE_BYTES, true));
            pipeline.addLast(new HttpClientHandler(routes, secured, limits));
            pipeline.addLast(new Last());
        }
    }

    /** Closes the connection of a client that does not speak HTTP or TLS, without an answer. */
    private static final class Last extends ChannelInboundHandlerAdapter {
        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            LOG.debug("a client disconnected: {}", cause.toString());
            ctx.close();
        }
    }

    /** Disconnects all clients and removes the sockets. */
    @Override
    public void close() {
        for (OwnPath path : made) {
            try {
                path.remove();
            } catch (IOException e) {
                // A remaining socket does no harm: the next process finds that no process listens there, and removes
                // it.
                LOG.debug("a socket file was not removed: {}", e.getMessage());
            }
        }
        listening.forEach(channel -> channel.close().awaitUninterruptibly());
        loop.submit(() -> List.copyOf(clients).forEach(Channel::close)).awaitUninterruptibly();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
