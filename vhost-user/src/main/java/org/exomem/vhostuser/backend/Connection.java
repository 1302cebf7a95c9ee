package org.exomem.vhostuser.backend;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.exomem.linux.DescriptorReserve;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;
import org.exomem.vhostuser.memory.DirtyLog;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.Header;
import org.exomem.vhostuser.protocol.ProtocolFeature;
import org.exomem.vhostuser.protocol.Reply;
import org.exomem.vhostuser.protocol.RequestDecoder;
import org.exomem.vhostuser.protocol.RequestType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connected front-end: reads its messages, lets the {@link Session} execute them, and answers. Whatever arrives, the worst
 * effect is the end of this connection. On the VM's event loop.
 */
final class Connection {
    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);
    /** The most messages in one step, so that a front-end that never pauses can't block the loop. */
    private static final int MESSAGES_AT_ONCE = 64;
    /** The time after which no further message is read in a step (VHU-MSG-5). */
    private static final long NANOS_AT_ONCE = 5_000_000;
    /** The interval of checks for a message that waits for descriptors. */
    private static final Duration DESCRIPTORS_RETRY = Duration.ofMillis(100);

    private final MessageSocket socket;
    private final VhostUserDevice device;
    private final EventLoop loop;
    private final EndpointListener listener;
    private final Consumer<String> ended;
    private final MessageReader reader;
    private final Session session;
    private EventLoop.@Nullable Watch watch;
    private boolean messageSeen;
    private boolean open;
    /** True while reading is paused until an earlier request can be answered. */
    private boolean pausing;
    /** The descriptors of a request that waits for its answer. */
    private List<Fd> held = List.of();

    /**
     * @param frontEnd the id of the connected process; 0 if it can't be seen
     * @param ended called once, when the connection has ended, with the reason
     */
    Connection(
            MessageSocket socket,
            int frontEnd,
            VhostUserDevice device,
            EventLoop loop,
            EndpointListener listener,
            Consumer<String> ended) {
        this.socket = socket;
        this.device = device;
        this.loop = loop;
        this.listener = listener;
        this.ended = ended;
        this.reader = new MessageReader(socket);
        this.session = new Session(device, loop, listener, frontEnd, this::hasMoreToRead, this::failed);
    }

    /** See {@link Endpoint#logOwnWritesTo}. */
    void logOwnWritesTo(@Nullable DirtyLog log) {
        session.memory().logOwnTo(log);
    }

    /** See {@link Session#brokenRings}. */
    int brokenRings() {
        return session.brokenRings();
    }

    void open() {
        open = true;
        device.connected(session);
        listener.connected();
        watch = loop.watch(socket.fd(), this::readable);
    }

    /** True after a complete message has arrived. A peer that has sent none makes way for another one. */
    boolean hasSentMessage() {
        return messageSeen;
    }

    /** True if the front-end has closed its end, even if messages are still to be read. */
    boolean frontEndHasGone() {
        try {
            return Poll.peerHasClosed(socket.fd());
        } catch (LinuxException e) {
            return false;
        }
    }

    /**
     * Reads what has arrived, including the peer's end. If there is more than one step may read, the descriptor stays
     * readable.
     */
    void readable() {
        try {
            long end = System.nanoTime() + NANOS_AT_ONCE;
            for (int i = 0; open && !pausing && i < MESSAGES_AT_ONCE && (i == 0 || System.nanoTime() - end < 0); i++) {
                switch (reader.read()) {
                    case MESSAGE -> handleMessage();
                    case WAITING -> {
                        return;
                    }
                    case NO_DESCRIPTORS -> waitForDescriptors("a message with file descriptors waits", () -> {});
                    case CLOSED -> closedByPeer();
                }
            }
        } catch (Throwable e) {
            failed(e);
        }
    }

    /** An error on the socket counts as readable: the read finds it. */
    private boolean hasMoreToRead() {
        try {
            return Poll.readable(socket.fd(), Duration.ZERO);
        } catch (LinuxException e) {
            return true;
        }
    }

    private void closedByPeer() {
        if (reader.isAmidMessage()) {
            failed(new FrontEndFault("the VMM closed the connection in the middle of a message"));
        } else {
            close("the VMM closed the connection");
        }
    }

    private void handleMessage() throws LinuxException {
        messageSeen = true;
        Header header = reader.header();
        List<Fd> fds = reader.takeFds();
        dispatch(RequestType.of(header.request()), header, fds);
    }

    private void dispatch(@Nullable RequestType type, Header header, List<Fd> fds) throws LinuxException {
        held = fds;
        if (type == RequestType.CHECK_DEVICE_STATE && session.stateTransfers().isUnderWay()) {
            pause();
            session.stateTransfers().whenOver(() -> goOn(() -> answer(type, header, fds)));
            return;
        }
        // IMG-CLONE-7: a stopped queue must leave nothing behind that could change a page.
        if (session.memory().isDiscarding()) {
            pause();
            session.whenDiscarded(() -> goOn(() -> dispatch(type, header, fds)));
            return;
        }
        if ((type == RequestType.GET_INFLIGHT_FD || type == RequestType.POSTCOPY_ADVISE)
                && !DescriptorReserve.ofProcess().isWhole()) {
            waitForDescriptors(type + ", which requires a file descriptor, waits", () -> answer(type, header, fds));
            return;
        }
        answer(type, header, fds);
    }

    @FunctionalInterface
    private interface Step {
        void run() throws LinuxException;
    }

    /** Pauses reading until {@link #goOn}. */
    private void pause() {
        pausing = true;
        stopWatching();
        session.readingPaused();
    }

    /** Executes the step for which reading was paused, and reads on. */
    private void goOn(Step step) {
        if (!open) {
            return;
        }
        pausing = false;
        watch = loop.watch(socket.fd(), this::readable);
        try {
            step.run();
        } catch (Throwable e) {
            failed(e);
        }
        readable();
    }

    /**
     * Pauses reading until the process has spare descriptors: lost ones would end the connection, and with it the guest's
     * device (VHU-HDR-8).
     */
    private void waitForDescriptors(String what, Step then) {
        pause();
        listener.fault(
                FaultKind.HOST,
                what
                        + " until this process has free file descriptors (EMFILE, too many open files): raise its"
                        + " limit of open files (ulimit -n, LimitNOFILE=), or disconnect clients of the"
                        + " control socket");
        loop.schedule(DESCRIPTORS_RETRY, () -> lookForDescriptors(then));
    }

    private void lookForDescriptors(Step then) {
        if (!open) {
            return;
        }
        try {
            if (DescriptorReserve.ofProcess().isWhole()) {
                goOn(then);
            } else if (Poll.peerHasClosed(socket.fd())) {
                close("the VMM disconnected");
            } else {
                loop.schedule(DESCRIPTORS_RETRY, () -> lookForDescriptors(then));
            }
        } catch (LinuxException e) {
            failed(e);
        }
    }

    private void answer(@Nullable RequestType type, Header header, List<Fd> fds) throws LinuxException {
        held = List.of();
        Reply reply;
        try {
            reply = handle(type, header, fds);
        } catch (LinuxException | RuntimeException | Error e) {
            fds.forEach(Fd::close);
            Fault fault = Fault.of(e);
            Reply refusal = fault.isRefusable() ? refusal(type, header) : null;
            if (refusal == null) {
                throw e;
            }
            String request = type == null ? "request " + Integer.toUnsignedString(header.request()) : type.name();
            listener.fault(fault.kind(), request + " was rejected: " + fault.what());
            send(header, refusal);
            return;
        }
        // VHU-MSG-2; a reply is the acknowledgement (VHU-MSG-3).
        if (reply == null && wantsAcknowledgement(header)) {
            reply = Reply.u64(0);
        }
        if (reply != null) {
            send(header, reply);
        }
    }

    private @Nullable Reply handle(@Nullable RequestType type, Header header, List<Fd> fds) throws LinuxException {
        if (type == null) {
            // VHU-MSG-1
            throw new FrontEndFault(
                    "request " + Integer.toUnsignedString(header.request()) + " is unknown to this back-end");
        }
        ProtocolFeature feature = type.feature();
        if (feature != null && !session.negotiation().has(feature)) {
            throw new FrontEndFault(type + " requires protocol feature " + feature + ", which was not negotiated");
        }
        return session.handle(RequestDecoder.decode(type, reader.payload(), fds));
    }

    /** VHU-MSG-4: without REPLY_ACK the front-end does not wait for one. */
    private boolean wantsAcknowledgement(Header header) {
        return header.needsReply() && session.negotiation().has(ProtocolFeature.REPLY_ACK);
    }

    private @Nullable Reply refusal(@Nullable RequestType type, Header header) {
        boolean acknowledged = wantsAcknowledgement(header);
        if (type == null) {
            return acknowledged ? Reply.failure() : null;
        }
        return type.refusal(acknowledged);
    }

    private void send(Header request, Reply reply) throws LinuxException {
        Fd fd = reply.fd();
        try {
            // Without waiting: a front-end that lets a whole buffer of answers pile up will not read this one either.
            socket.send(reply.encode(request.request()), fd == null ? List.of() : List.of(fd), 0);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EAGAIN) {
                throw new FrontEndFault("the VMM does not read replies, and the socket buffer is full");
            }
            throw e;
        } finally {
            if (fd != null) {
                fd.close();
            }
        }
    }

    /** Ends the connection because of a fault. */
    private void failed(Throwable thrown) {
        if (!open) {
            return;
        }
        Fault fault = Fault.of(thrown);
        if (fault instanceof Fault.OfOurs) {
            LOG.error("internal error of exomem, please report it", thrown);
        }
        if (!(fault instanceof Fault.PeerGone)) {
            listener.fault(fault.kind(), "the connection was closed: " + fault.what());
        }
        close(fault.what());
    }

    /** Ends the connection. The device and guest memory are released before the listener is notified. */
    void close(String reason) {
        if (!open) {
            return;
        }
        open = false;
        stopWatching();
        reader.discard();
        held.forEach(Fd::close);
        held = List.of();
        try {
            session.close();
        } finally {
            socket.close();
            listener.disconnected(reason);
            ended.accept(reason);
        }
    }

    private void stopWatching() {
        if (watch != null) {
            watch.close();
            watch = null;
        }
    }
}
