package org.exomem.backend.ui;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.timeout.ReadTimeoutHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Serves the page of {@code exomem ui} over HTTP. One thread for all browsers; each page that is open has one more, which asks the
 * control socket.
 */
@SuppressWarnings("FutureReturnValueIgnored") // Netty's loop logs what its tasks throw; none of them is waited for.
public final class UiServer implements AutoCloseable {
    private static final int MOST_REQUEST = 1 << 16;
    private static final int MOST_CONNECTIONS = 64;
    private static final int SILENCE_SECONDS = 60;

    private final MultiThreadIoEventLoopGroup loop =
            new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("ui"), EpollIoHandler.newFactory());
    private final AtomicInteger connections = new AtomicInteger();
    private final AtomicInteger streams = new AtomicInteger();
    private final Channel listening;

    private UiServer(InetSocketAddress address, Path control, Access access) throws IOException {
        Assets assets = Assets.load();
        try {
            listening = new ServerBootstrap()
                    .group(loop)
                    .channel(EpollServerSocketChannel.class)
                    .option(ChannelOption.SO_REUSEADDR, true)
                    .childOption(ChannelOption.ALLOCATOR, UnpooledByteBufAllocator.DEFAULT)
                    .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(1 << 15, 1 << 17))
                    .childHandler(new ChannelInitializer<SocketChannel>() {
                        @Override
                        protected void initChannel(SocketChannel channel) {
                            if (connections.incrementAndGet() > MOST_CONNECTIONS) {
                                channel.close();
                            }
                            channel.closeFuture().addListener(closed -> connections.decrementAndGet());
                            channel.pipeline()
                                    .addLast(
                                            new HttpServerCodec(),
                                            new HttpObjectAggregator(MOST_REQUEST),
                                            new ReadTimeoutHandler(SILENCE_SECONDS),
                                            new UiHandler(control, access, assets, streams));
                        }
                    })
                    .bind(address)
                    .syncUninterruptibly()
                    .channel();
        } catch (Exception e) {
            loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
            throw new IOException("can't listen on " + address + ": " + e.getMessage(), e);
        }
    }

    /**
     * Begins to serve.
     *
     * @param address where to listen; with port 0 the kernel chooses one
     * @param control the control socket of the process that is shown
     * @param token what allows changes, and to look from other hosts; empty if neither is wanted
     * @param changes whether the page may change anything, with the token
     * @throws IOException if nobody can listen there
     * @throws IllegalArgumentException if other hosts reach the address, and there is no token
     */
    public static UiServer start(InetSocketAddress address, Path control, Optional<String> token, boolean changes)
            throws IOException {
        boolean onlyThisHost = Access.isOfThisHost(address.getAddress());
        if (!onlyThisHost && token.isEmpty()) {
            throw new IllegalArgumentException("an address that other hosts reach needs a token");
        }
        return new UiServer(address, control, new Access(token, onlyThisHost, changes));
    }

    /** Where it listens. */
    public InetSocketAddress address() {
        return (InetSocketAddress) listening.localAddress();
    }

    /** Ends all connections. */
    @Override
    public void close() {
        listening.close().syncUninterruptibly();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
