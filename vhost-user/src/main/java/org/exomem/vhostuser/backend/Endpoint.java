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
 * Where front-ends connect to one device: one at a time, any number one after the other (VHU-PRG-2). Any thread may make and
 * close an endpoint; everything else happens on the event loop of the device's VM.
 *
 * <p>While a front-end is connected, a second one is refused. The exception: the first has sent no message yet. So a peer
 * that only connects cannot keep the device from its VM.
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
    /**
     * A front-end that connected before the messages of the previous one were all read. While it waits, no other is
     * accepted.
     */
    private @Nullable Fd successor;

    private @Nullable DirtyLog ownLog;
    private boolean closed;

    private Endpoint(String name, VhostUserDevice device, EventLoop loop, EndpointListener listener) {
        this.name = name;
        this.device = device;
        this.loop = loop;
        this.listener = listener;
    }

    /**
     * See {@link #listen(Path, SocketAccess, VhostUserDevice, EventLoop, EndpointListener)}; only this process's user may
     * connect.
     */
    public static Endpoint listen(Path socket, VhostUserDevice device, EventLoop loop, EndpointListener listener)
            throws LinuxException {
        return listen(socket, SocketAccess.OWNER_ONLY, device, loop, listener);
    }

    /**
     * Listens on a socket in the file system. A socket that an ended process left behind is replaced.
     *
     * @param access who may connect
     * @throws LinuxException with EADDRINUSE if another process listens there, or the path is not a socket; see {@link
     *     ListeningSocket#open}
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

    /** Connects to a front-end that listens. Tries every 200 ms until one does, and again after it has left. */
    public static Endpoint connect(Path socket, VhostUserDevice device, EventLoop loop, EndpointListener listener) {
        Endpoint endpoint = new Endpoint(socket.toString(), device, loop, listener);
        endpoint.connectTo = socket;
        endpoint.onLoop(endpoint::tryToConnect);
        return endpoint;
    }

    /**
     * Uses a listening or connected socket that this process has inherited (VHU-PRG-4). When the front-end of a connected
     * socket leaves, {@link EndpointListener#noFrontEndCanCome} is called.
     *
     * @param fd owned from now on
     * @throws LinuxException if the descriptor is no Unix stream socket, or neither listens nor is connected; it then
     *     remains the caller's
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
     * Logs all writes to guest memory for the device, for a migration by this process; null ends that. The log remains the
     * caller's. On the event loop.
     */
    public void logOwnWritesTo(@Nullable DirtyLog log) {
        ownLog = log;
        Connection current = connection;
        if (current != null) {
            current.logOwnWritesTo(log);
        }
    }

    /**
     * The number of the connected front-end's queues that have stopped because the driver broke a rule; 0 if no front-end is
     * connected. On the event loop.
     */
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
            // Most likely there are no descriptors left. A level-triggered watch would spin, so the next attempt is
            // made later.
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
            // A front-end that connects again at once may be noticed before the end of its old connection.
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
                    FaultKind.FRONT_END, "a second VMM was rejected on " + name + ": a VMM is already connected");
            return;
        }
        if (current != null) {
            current.close("another VMM connected before this one sent a message");
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

    /** Disconnects the front-end, stops listening, and removes the socket if it is still the one made here. */
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
