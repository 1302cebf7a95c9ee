package org.exomem.vhostuser.backend;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.ListeningSocket;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.SocketAccess;
import org.exomem.linux.UnixSockets;
import org.exomem.vhostuser.memory.DirtyLog;
import org.jspecify.annotations.Nullable;

/**
 * Where front-ends attach to one device: one at a time, any number one after the other (VHU-PRG-2). Made and closed from
 * any thread; everything between happens on the event loop of the device's VM.
 *
 * <p>While a front-end is connected another one is refused, unless the first has sent no message yet: a peer that only
 * connects can't keep the device from its VM.
 */
public final class Endpoint implements AutoCloseable {
    private static final int BACKLOG = 8;
    private static final Duration CONNECT_RETRY = Duration.ofMillis(200);

    private final String name;
    private final VhostUserDevice device;
    private final EventLoop loop;
    private final EndpointListener listener;
    private @Nullable ListeningSocket made;
    private @Nullable Fd listening;
    private EventLoop.@Nullable Watch watch;
    private EventLoop.@Nullable Timer reconnect;
    private @Nullable Path connectTo;
    private volatile @Nullable Connection connection;
    /** A front-end that came before all was read that the one before it had sent; while it waits, no other is accepted. */
    private @Nullable Fd successor;

    private @Nullable DirtyLog ownLog;
    private boolean closed;

    private Endpoint(String name, VhostUserDevice device, EventLoop loop, EndpointListener listener) {
        this.name = name;
        this.device = device;
        this.loop = loop;
        this.listener = listener;
    }

    /** Like {@link #listen(Path, SocketAccess, VhostUserDevice, EventLoop, EndpointListener)}, for one's own user only. */
    public static Endpoint listen(Path socket, VhostUserDevice device, EventLoop loop, EndpointListener listener)
            throws LinuxException {
        return listen(socket, SocketAccess.OWNER_ONLY, device, loop, listener);
    }

    /**
     * Listens on a socket of the file system. A socket left behind by a process that is gone is replaced.
     *
     * @param access who may connect
     * @throws LinuxException with EADDRINUSE if another process listens there, or the path is no socket; see
     *     {@link ListeningSocket#open}
     */
    public static Endpoint listen(
            Path socket, SocketAccess access, VhostUserDevice device, EventLoop loop, EndpointListener listener)
            throws LinuxException {
        ListeningSocket made = ListeningSocket.open(socket, BACKLOG, access);
        Endpoint endpoint = new Endpoint(socket.toString(), device, loop, listener);
        endpoint.made = made;
        endpoint.onLoop(() -> endpoint.acceptFrom(made.fd()));
        return endpoint;
    }

    /** Connects to a front-end that listens; tries again until it does, and after it has left. */
    public static Endpoint connect(Path socket, VhostUserDevice device, EventLoop loop, EndpointListener listener) {
        Endpoint endpoint = new Endpoint(socket.toString(), device, loop, listener);
        endpoint.connectTo = socket;
        endpoint.onLoop(endpoint::tryToConnect);
        return endpoint;
    }

    /**
     * Uses a socket that this process has inherited, listening or connected (VHU-PRG-4); takes it over. When the front-end of a
     * connected one has gone, {@link EndpointListener#noFrontEndCanCome} tells so.
     *
     * @throws LinuxException if the descriptor is no Unix stream socket, or neither listens nor is connected; it stays the
     *     caller's
     */
    public static Endpoint inherit(Fd fd, VhostUserDevice device, EventLoop loop, EndpointListener listener)
            throws LinuxException {
        UnixSockets.Role role = UnixSockets.roleOf(fd);
        fd.setNonBlocking();
        Endpoint endpoint = new Endpoint(fd.toString(), device, loop, listener);
        endpoint.onLoop(() -> {
            switch (role) {
                case LISTENING -> endpoint.acceptFrom(fd);
                case CONNECTED -> endpoint.attach(fd);
            }
        });
        return endpoint;
    }

    /** True while a front-end is connected. */
    public boolean isConnected() {
        return connection != null;
    }

    /**
     * Logs all that is written to the guest's memory for the device, for a migration by this process; null ends that. The log
     * stays the caller's. On the event loop.
     */
    public void logOwnWritesTo(@Nullable DirtyLog log) {
        ownLog = log;
        Connection current = connection;
        if (current != null) {
            current.logOwnWritesTo(log);
        }
    }

    /** How many queues of the connected front-end its driver has broken, and which stand still; 0 if none is connected. On the event loop. */
    public int brokenQueues() {
        Connection current = connection;
        return current == null ? 0 : current.brokenRings();
    }

    private void onLoop(Runnable task) {
        try {
            loop.submit(() -> {
                        task.run();
                        return this;
                    })
                    .join();
        } catch (CompletionException e) {
            throw new IllegalStateException("endpoint " + name + " could not be set up on its event loop", e);
        }
    }

    private void acceptFrom(Fd fd) {
        listening = fd;
        watch = loop.watch(fd, this::accept);
    }

    private void accept() {
        Fd socket = listening;
        try {
            Fd accepted = socket == null ? null : UnixSockets.accept(socket);
            if (accepted != null) {
                attach(accepted);
            }
        } catch (LinuxException e) {
            // Most likely there are no descriptors left. A level-triggered watch would spin, so look again in a while.
            listener.fault(FaultKind.HOST, "no connection can be accepted on " + name + ": " + e.getMessage());
            pauseAccepting();
        }
    }

    private void pauseAccepting() {
        stopWatching();
        reconnect = loop.schedule(CONNECT_RETRY, () -> {
            reconnect = null;
            if (listening != null && successor == null) {
                watch = loop.watch(listening, this::accept);
            }
        });
    }

    private void stopWatching() {
        if (watch != null) {
            watch.close();
            watch = null;
        }
    }

    private void attach(Fd fd) {
        if (connection != null) {
            // A front-end that comes back at once may be found before the end of its old connection is.
            connection.readable();
        }
        Connection current = connection;
        if (current != null && current.frontEndHasGone()) {
            successor = fd;
            stopWatching();
            return;
        }
        if (current != null && current.hasSentMessage()) {
            fd.close();
            listener.fault(
                    FaultKind.FRONT_END,
                    "a second front-end was turned away from " + name + ": one is connected already");
            return;
        }
        if (current != null) {
            current.close("another front-end connected before this one sent a message");
        }
        Connection[] self = new Connection[1];
        Connection fresh =
                new Connection(new MessageSocket(fd), process(fd), device, loop, listener, reason -> ended(self[0]));
        self[0] = fresh;
        connection = fresh;
        fresh.logOwnWritesTo(ownLog);
        fresh.open();
    }

    private static int process(Fd connected) {
        try {
            return UnixSockets.peer(connected);
        } catch (LinuxException e) {
            return 0;
        }
    }

    private void ended(Connection gone) {
        if (connection == gone) {
            connection = null;
        }
        if (closed) {
            return;
        }
        Fd next = successor;
        if (next != null && listening != null) {
            successor = null;
            attach(next);
            watch = loop.watch(listening, this::accept);
            return;
        }
        if (connectTo != null) {
            scheduleConnect();
        } else if (listening == null) {
            listener.noFrontEndCanCome();
        }
    }

    private void tryToConnect() {
        reconnect = null;
        Path target = connectTo;
        if (closed || target == null) {
            return;
        }
        try {
            attach(UnixSockets.connectNow(target));
        } catch (LinuxException e) {
            if (e.errno() != Errno.ENOENT && e.errno() != Errno.ECONNREFUSED && e.errno() != Errno.EAGAIN) {
                listener.fault(FaultKind.HOST, e.getMessage());
            }
            scheduleConnect();
        }
    }

    private void scheduleConnect() {
        reconnect = loop.schedule(CONNECT_RETRY, this::tryToConnect);
    }

    /** Sends the front-end away, stops listening, and removes the socket if it is still the one that was made here. */
    @Override
    public void close() {
        onLoop(() -> {
            closed = true;
            if (reconnect != null) {
                reconnect.cancel();
                reconnect = null;
            }
            Connection current = connection;
            if (current != null) {
                current.close("exomem closed the endpoint");
            }
            stopWatching();
            if (successor != null) {
                successor.close();
                successor = null;
            }
            if (made != null) {
                made.close();
            } else if (listening != null) {
                listening.close();
            }
            listening = null;
        });
    }
}
