package org.exomem.backend.http;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.timeout.ReadTimeoutHandler;
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
import org.exomem.linux.OwnPath;
import org.exomem.linux.OwnerOnlySocket;
import org.exomem.linux.StaleSocket;
import org.exomem.linux.UnixSockets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers GET and HEAD with pages that are made for each request. One thread for all clients, which never makes a page itself. Few
 * clients are taken, who may be silent for a minute: each costs a descriptor, and those are for VMs.
 */
// Netty's loop logs what its tasks throw; none of them is waited for.
@SuppressWarnings("FutureReturnValueIgnored")
public final class HttpServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpServer.class);
    private static final int MOST_CLIENTS = 64;
    private static final int RECEIVE_BYTES = 4096;
    private static final int MOST_LINE = 2048;
    private static final int MOST_HEADERS = 8192;
    private static final Duration SILENCE = Duration.ofSeconds(60);
    private static final Duration HANDSHAKE_LIMIT = Duration.ofSeconds(10);

    private final Map<String, HttpPage> pages;
    private final Optional<Supplier<SSLEngine>> tls;
    private final MultiThreadIoEventLoopGroup loop =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("http", true), EpollIoHandler.newFactory());
    private final List<Channel> listening = new ArrayList<>();
    private final List<OwnPath> made = new ArrayList<>();
    private final List<HttpAddress> addresses = new ArrayList<>();
    /** Belongs on the loop. */
    private final Set<Channel> clients = new HashSet<>();

    private HttpServer(Map<String, HttpPage> pages, Optional<Supplier<SSLEngine>> tls) {
        this.pages = Map.copyOf(pages);
        this.tls = tls;
    }

    /**
     * Starts to listen, on all addresses or none.
     *
     * @param tls makes the server's end of a TLS connection, for all that comes by TCP; empty for no TLS
     * @param pages by their paths
     * @throws IOException if one can't be listened on; says which and why
     */
    public static HttpServer start(
            List<HttpAddress> addresses, Optional<Supplier<SSLEngine>> tls, Map<String, HttpPage> pages)
            throws IOException {
        HttpServer server = new HttpServer(pages, tls);
        try {
            for (HttpAddress address : addresses) {
                server.listen(address);
            }
            return server;
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
    }

    /** Where it listens, with ports as they are. */
    public List<HttpAddress> addresses() {
        return List.copyOf(addresses);
    }

    /** Runs a task on the server's thread when that comes to it. */
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
            throw new IOException("metrics can't be served on " + address + ": there is no folder " + folder);
        }
        int bytes = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > UnixSockets.MAX_PATH_BYTES) {
            throw new IOException("metrics can't be served on " + address + ": a socket's path has at most "
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
                    "metrics can't be served on " + address + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        listening.add(bound.channel());
        return bound.channel();
    }

    private ServerBootstrap bootstrap() {
        return new ServerBootstrap()
                .group(loop)
                .childOption(ChannelOption.ALLOCATOR, UnpooledByteBufAllocator.DEFAULT)
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
                LOG.debug("metrics: {} clients are there, and no more are taken", MOST_CLIENTS);
                channel.close();
                return;
            }
            clients.add(channel);
            channel.closeFuture().addListener(closed -> clients.remove(channel));
            ChannelPipeline pipeline = channel.pipeline();
            pipeline.addLast(new ReadTimeoutHandler(SILENCE.toSeconds(), TimeUnit.SECONDS));
            if (overNetwork && tls.isPresent()) {
                SslHandler secured = new SslHandler(tls.get().get());
                secured.setHandshakeTimeout(HANDSHAKE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
                pipeline.addLast(secured);
            }
            pipeline.addLast(new HttpServerCodec(new HttpDecoderConfig()
                    .setMaxInitialLineLength(MOST_LINE)
                    .setMaxHeaderSize(MOST_HEADERS)
                    .setMaxChunkSize(RECEIVE_BYTES)));
            // Nobody has anything to send here.
            pipeline.addLast(new HttpObjectAggregator(RECEIVE_BYTES, true));
            pipeline.addLast(new HttpClientHandler(pages));
            pipeline.addLast(new Last());
        }
    }

    /** Whoever speaks no HTTP, or no TLS, is told nothing more. */
    private static final class Last extends ChannelInboundHandlerAdapter {
        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            LOG.debug("a client of the metrics is gone: {}", cause.toString());
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
                // Nothing is lost: the next process finds nobody listening there, and removes it.
                LOG.debug("a socket stays: {}", e.getMessage());
            }
        }
        listening.forEach(channel -> channel.close().awaitUninterruptibly());
        loop.submit(() -> List.copyOf(clients).forEach(Channel::close)).awaitUninterruptibly();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
