package org.exomem.migration.stream.source;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Wire;

/**
 * A new connection of the source, after the handshake and the exchange of preambles.
 *
 * @param mine the source's preamble
 * @param theirs the destination's preamble
 */
record Greeting(Wire wire, Preamble mine, Preamble theirs, Set<StreamFeature> features) {
    private static final String OTHER = "destination";

    /** Connects and exchanges preambles. A destination that does not answer within the limit has failed. */
    static Greeting of(
            MigrationAddress to,
            StreamSecurity security,
            StreamOptions options,
            Preamble mine,
            ScheduledExecutorService timer)
            throws IOException {
        SocketAddress address = to.resolve();
        security.check(address, options.plainAllowed());
        SocketChannel socket = open(address);
        Duration patience = options.patience();
        ScheduledFuture<?> impatience;
        try {
            impatience = timer.schedule(() -> Closing.quietly(socket), patience.toNanos(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            Closing.quietly(socket);
            throw new IOException("the migration was closed", e);
        }
        try {
            socket.connect(address);
            Wire wire = security.outgoing(socket, to);
            mine.send(wire);
            Preamble theirs = Preamble.receive(wire, OTHER);
            return new Greeting(wire, mine, theirs, agree(wire, mine, theirs));
        } catch (AsynchronousCloseException e) {
            throw new IOException(to + " did not answer within " + patience.toMillis() + " ms", e);
        } catch (StreamFault | PeerFault e) {
            Closing.quietly(socket);
            throw e;
        } catch (IOException e) {
            Closing.quietly(socket);
            throw new IOException(
                    "can't reach a destination at " + to + ": " + e.getMessage()
                            + (e instanceof SocketException ? "; \"exomem receive\" must be waiting there" : ""),
                    e);
        } finally {
            impatience.cancel(false);
        }
    }

    private static Set<StreamFeature> agree(Wire wire, Preamble mine, Preamble theirs) throws IOException {
        try {
            return StreamFeature.agree(mine, theirs, OTHER);
        } catch (StreamFault e) {
            // The destination sees the same preambles, but should not have to guess which end gave up.
            new ChunkWriter(wire, theirs.sequence(), new BandwidthLimit(BandwidthLimit.NONE), null, false)
                    .error(String.valueOf(e.getMessage()));
            throw e;
        }
    }

    private static SocketChannel open(SocketAddress address) throws IOException {
        if (address instanceof UnixDomainSocketAddress) {
            return SocketChannel.open(StandardProtocolFamily.UNIX);
        }
        SocketChannel socket = SocketChannel.open(
                ((InetSocketAddress) address).getAddress().getAddress().length == 4
                        ? StandardProtocolFamily.INET
                        : StandardProtocolFamily.INET6);
        socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
        return socket;
    }

    void close() {
        wire.close();
    }
}
