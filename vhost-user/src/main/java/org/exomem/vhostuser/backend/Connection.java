package org.exomem.vhostuser.backend;

import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.exomem.linux.DescriptorReserve;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;
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
 * A connected front-end: reads its messages, has the {@link Session} carry them out, and answers. Whatever arrives, the
 * worst that can come of it is the end of this connection.
 */
final class Connection {
    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);
    /** The most messages taken at once: a front-end that never pauses can't keep the loop from everything else. */
    private static final int MESSAGES_AT_ONCE = 64;
    /** How often a message that waits for descriptors is looked at. */
    private static final Duration DESCRIPTORS_RETRY = Duration.ofMillis(100);

    /**
     * Requests whose answer is a value. An error would be taken for one (or, where a descriptor must come, for nonsense),
     * so they are refused by closing the connection.
     */
    private static final Set<RequestType> ANSWERED_BY_VALUE = EnumSet.of(
            RequestType.GET_FEATURES,
            RequestType.GET_PROTOCOL_FEATURES,
            RequestType.GET_QUEUE_NUM,
            RequestType.GET_VRING_BASE,
            RequestType.GET_INFLIGHT_FD,
            RequestType.GET_MAX_MEM_SLOTS,
            RequestType.GET_STATUS,
            RequestType.POSTCOPY_ADVISE,
            RequestType.GET_SHMEM_CONFIG);

    private static final long FAILED = 1;

    private final MessageSocket socket;
    private final VhostUserDevice device;
    private final EventLoop loop;
    private final EndpointListener listener;
    private final Consumer<String> ended;
    private final MessageReader reader;
    private final Session session;
    private EventLoop.@Nullable Watch watch;
    private boolean spoken;
    private boolean open;
    /** Nothing more is read until what was asked for can be answered. */
    private boolean pausing;

    /** @param ended is called once, when the connection has ended, with the reason */
    Connection(
            MessageSocket socket,
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
        this.session = new Session(device, loop, listener, this::hasMoreToRead, this::failed);
    }

    void open() {
        open = true;
        device.connected(session);
        listener.connected();
        watch = loop.watch(socket.fd(), this::readable);
    }

    /** True once a whole message has come. A peer that says nothing has no claim to the device. */
    boolean hasSpoken() {
        return spoken;
    }

    /** Takes what has arrived, the peer's end included. What is more than can be taken at once makes itself felt again. */
    void readable() {
        try {
            for (int i = 0; open && !pausing && i < MESSAGES_AT_ONCE; i++) {
                switch (reader.read()) {
                    case MESSAGE -> handleMessage();
                    case WAITING -> {
                        return;
                    }
                    case NO_DESCRIPTORS -> waitForDescriptors("a message that brings descriptors waits", () -> {});
                    case CLOSED -> closedByPeer();
                }
            }
        } catch (Throwable e) {
            failed(e);
        }
    }

    /** An error on the socket counts as something to read: reading finds it too. */
    private boolean hasMoreToRead() {
        try {
            return Poll.readable(socket.fd(), Duration.ZERO);
        } catch (LinuxException e) {
            return true;
        }
    }

    private void closedByPeer() {
        if (reader.isAmidMessage()) {
            failed(new FrontEndFault("the front-end closed the connection in the middle of a message"));
        } else {
            close("the front-end closed the connection");
        }
    }

    private void handleMessage() throws LinuxException {
        spoken = true;
        Header header = reader.header();
        List<Fd> fds = reader.takeFds();
        RequestType type = RequestType.of(header.request());
        if (type == RequestType.CHECK_DEVICE_STATE && session.stateTransfers().isUnderWay()) {
            pause();
            session.stateTransfers().whenOver(() -> goOn(() -> answer(type, header, fds)));
            return;
        }
        if (type == RequestType.GET_INFLIGHT_FD
                && !DescriptorReserve.ofProcess().isWhole()) {
            waitForDescriptors(type + ", which needs a descriptor, waits", () -> answer(type, header, fds));
            return;
        }
        answer(type, header, fds);
    }

    @FunctionalInterface
    private interface Step {
        void run() throws LinuxException;
    }

    /** Reads no further until {@link #goOn}. */
    private void pause() {
        pausing = true;
        stopWatching();
    }

    /** Takes the step that reading was paused for, and reads on. */
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
     * Reads no further until the process has descriptors to spare: lost ones would end the connection, and the guest's
     * device with it (VHU-HDR-8).
     */
    private void waitForDescriptors(String what, Step then) {
        pause();
        listener.fault(
                FaultKind.HOST,
                what + " until this process has descriptors free (EMFILE, too many open files): raise its limit of open"
                        + " files (ulimit -n, LimitNOFILE=), or end clients of the control socket");
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
                close("the front-end has gone");
            } else {
                loop.schedule(DESCRIPTORS_RETRY, () -> lookForDescriptors(then));
            }
        } catch (LinuxException e) {
            failed(e);
        }
    }

    private void answer(@Nullable RequestType type, Header header, List<Fd> fds) throws LinuxException {
        Reply reply;
        try {
            reply = handle(type, header, fds);
        } catch (FrontEndFault | LinuxException e) {
            fds.forEach(Fd::close);
            Reply refusal = refusal(type, header);
            if (refusal == null) {
                throw e;
            }
            String request = type == null ? "request " + Integer.toUnsignedString(header.request()) : type.name();
            report(e, request + " was refused: ");
            send(header, refusal);
            return;
        } catch (RuntimeException | Error e) {
            fds.forEach(Fd::close);
            throw e;
        }
        if (reply == null && wantsAcknowledgement(header)) {
            reply = Reply.u64(0);
        }
        if (reply != null) {
            send(header, reply);
        }
    }

    private @Nullable Reply handle(@Nullable RequestType type, Header header, List<Fd> fds) throws LinuxException {
        if (type == null) {
            throw new FrontEndFault(
                    "request " + Integer.toUnsignedString(header.request()) + " is not known to this back-end");
        }
        ProtocolFeature feature = type.feature();
        if (feature != null && !session.negotiation().has(feature)) {
            throw new FrontEndFault(type + " came without protocol feature " + feature + " negotiated");
        }
        return session.handle(RequestDecoder.decode(type, reader.payload(), fds));
    }

    private boolean wantsAcknowledgement(Header header) {
        return header.needsReply() && session.negotiation().has(ProtocolFeature.REPLY_ACK);
    }

    /** How to say no: in the reply's own form, by acknowledgement, or, with null, only by closing the connection. */
    private @Nullable Reply refusal(@Nullable RequestType type, Header header) {
        if (type == RequestType.GET_CONFIG) {
            return Reply.empty();
        }
        if (type == RequestType.SET_DEVICE_STATE_FD) {
            return Reply.stateFailure();
        }
        if (type == RequestType.CHECK_DEVICE_STATE) {
            return Reply.u64(FAILED);
        }
        boolean byValue = type != null && ANSWERED_BY_VALUE.contains(type);
        if (type == RequestType.SET_LOG_BASE || !byValue && wantsAcknowledgement(header)) {
            return Reply.u64(FAILED);
        }
        return null;
    }

    private void send(Header request, Reply reply) throws LinuxException {
        Fd fd = reply.fd();
        try {
            // Without waiting: a front-end that lets a whole buffer of answers pile up won't read this one either.
            socket.send(reply.encode(request.request()), fd == null ? List.of() : List.of(fd), 0);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EAGAIN) {
                throw new FrontEndFault("the front-end reads no answers, and there is no room for another one");
            }
            throw e;
        } finally {
            if (fd != null) {
                fd.close();
            }
        }
    }

    /** Ends the connection for a fault. */
    private void failed(Throwable fault) {
        if (!open) {
            return;
        }
        if (isPeerGone(fault)) {
            close("the front-end has gone");
            return;
        }
        report(fault, "the connection was closed: ");
        close(describe(fault));
    }

    private static boolean isPeerGone(Throwable fault) {
        return fault instanceof LinuxException linux
                && (linux.errno() == Errno.ECONNRESET || linux.errno() == Errno.EPIPE);
    }

    private void report(Throwable fault, String consequence) {
        boolean isOurs = isOurs(fault);
        if (isOurs) {
            LOG.error("a fault of exomem itself, please report it", fault);
        }
        FaultKind kind = isOurs || fault instanceof LinuxException ? FaultKind.HOST : FaultKind.FRONT_END;
        listener.fault(kind, consequence + describe(fault));
    }

    private static boolean isOurs(Throwable fault) {
        return !(fault instanceof FrontEndFault || fault instanceof LinuxException || fault instanceof InternalError);
    }

    private static String describe(Throwable fault) {
        if (fault instanceof InternalError) {
            // The JVM's word for SIGBUS under a mapping.
            return "guest memory is gone: a file that backs it (or the dirty log, or in-flight memory) was truncated,"
                    + " or the host has no huge page left for it";
        }
        return isOurs(fault) ? "a fault of exomem itself: " + fault : String.valueOf(fault.getMessage());
    }

    /** Ends the connection. The device and guest memory are let go of before anybody is told. */
    void close(String reason) {
        if (!open) {
            return;
        }
        open = false;
        stopWatching();
        reader.discard();
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
