package org.exomem.conform.strict.serve;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.conformance.frontend.StateChannel;
import org.exomem.conformance.frontend.Traffic;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/**
 * Carries out a front-end's requests, and answers them. Refuses no request that can be carried out at all. For one
 * thread.
 */
final class Requests {
    private static final int SEND_MILLIS = 2000;
    private static final int NO_FD = 1 << 8;
    private static final int INDEX = 0xff;
    private static final int RING_STATE = 8;
    private static final Duration TO_TRANSFER = Duration.ofSeconds(10);
    private static final int SAVE = 0;
    /** The content of a device's state does not matter to a front-end. */
    private static final byte[] STATE = new byte[4096];

    private final MessageSocket socket;
    private final Traffic traffic;
    private final Scene scene;
    private final ServedDevice device;
    private final Session session;
    private long transferResult;
    private Provocation provocation;

    Requests(
            MessageSocket socket,
            Traffic traffic,
            Scene scene,
            ServedDevice device,
            Session session,
            Provocation provocation) {
        this.socket = socket;
        this.traffic = traffic;
        this.scene = scene;
        this.device = device;
        this.session = session;
        this.provocation = provocation;
    }

    /** Carries a request out. Takes its descriptors over. */
    void serve(FrontEndMessage message) throws IOException {
        scene.note(message.request());
        switch (message.request()) {
            case Request.GET_FEATURES ->
                answer(message, Payload.number(scene.offer().features()));
            case Request.GET_PROTOCOL_FEATURES ->
                answer(message, Payload.number(scene.offer().protocolFeatures()));
            case Request.GET_QUEUE_NUM ->
                answer(message, Payload.number(scene.offer().queues()));
            case Request.GET_MAX_MEM_SLOTS ->
                answer(message, Payload.number(scene.offer().slots()));
            case Request.GET_STATUS -> answer(message, Payload.number(scene.status()));
            case Request.GET_CONFIG -> getConfig(message);
            case Request.GET_VRING_BASE -> getVringBase(message);
            case Request.GET_INFLIGHT_FD -> getInflight(message);
            case Request.SET_DEVICE_STATE_FD -> transfer(message);
            case Request.CHECK_DEVICE_STATE -> answer(message, Payload.number(transferResult));
            case Request.SET_LOG_BASE -> {
                closeAll(message);
                if (scene.hasProtocol(Protocol.LOG_SHMFD)) {
                    answer(message, Payload.number(0));
                } else {
                    confirm(message, true);
                }
            }
            default -> confirm(message, command(message));
        }
    }

    /** Carries out a request that has no answer of its own. Returns whether that was possible. */
    private boolean command(FrontEndMessage message) throws IOException {
        switch (message.request()) {
            case Request.SET_FEATURES -> scene.setFeatures(message.longAt(0));
            case Request.SET_PROTOCOL_FEATURES -> scene.setProtocolFeatures(message.longAt(0));
            case Request.SET_OWNER, Request.RESET_OWNER -> {
                // Nothing depends on this request.
            }
            case Request.SET_MEM_TABLE ->
                session.changeMemory(() -> scene.memory().set(message));
            case Request.ADD_MEM_REG ->
                session.changeMemory(() -> scene.memory().add(message));
            case Request.REM_MEM_REG -> {
                closeAll(message);
                session.changeMemory(() -> scene.memory().remove(message));
            }
            case Request.SET_VRING_NUM -> scene.ring(message.intAt(0)).setSize(message.intAt(4));
            case Request.SET_VRING_BASE -> scene.ring(message.intAt(0)).setBase(message.intAt(4));
            case Request.SET_VRING_ADDR -> setVringAddr(message);
            case Request.SET_VRING_KICK -> {
                Ring ring = scene.ring((int) message.longAt(0) & INDEX);
                ring.setKick(event(message));
                session.start(ring);
            }
            case Request.SET_VRING_CALL ->
                scene.ring((int) message.longAt(0) & INDEX).setCall(event(message));
            case Request.SET_VRING_ENABLE -> scene.ring(message.intAt(0)).setEnabled(message.intAt(4) == 1);
            case Request.SET_BACKEND_REQ_FD -> {
                if (message.fds().isEmpty()) {
                    return false;
                }
                session.openChannel(message.fds().getFirst());
                message.fds().stream().skip(1).forEach(Fd::close);
            }
            case Request.SET_CONFIG -> setConfig(message);
            case Request.SET_STATUS -> setStatus((int) message.longAt(0));
            case Request.RESET_DEVICE -> session.reset();
            default -> {
                closeAll(message);
                return message.is(Request.SET_VRING_ERR)
                        || message.is(Request.SET_LOG_FD)
                        || message.is(Request.SET_INFLIGHT_FD);
            }
        }
        return true;
    }

    private void setVringAddr(FrontEndMessage message) {
        Ring ring = scene.ring(message.intAt(0));
        RingAddresses before = ring.addresses().orElse(null);
        RingAddresses now = new RingAddresses(
                message.intAt(0),
                message.intAt(4),
                message.longAt(8),
                message.longAt(16),
                message.longAt(24),
                message.longAt(32));
        ring.setAddresses(now);
        boolean moved = before == null
                || before.descriptors() != now.descriptors()
                || before.used() != now.used()
                || before.available() != now.available();
        if (moved && ring.queue().isPresent()) {
            session.changeMemory(() -> {});
        }
    }

    private static @Nullable EventFd event(FrontEndMessage message) throws IOException {
        EventFd event = null;
        for (Fd fd : message.fds()) {
            EventFd adopted = event == null && (message.longAt(0) & NO_FD) == 0 ? EventFd.adopt(fd) : null;
            if (adopted == null) {
                fd.close();
            } else {
                event = adopted;
            }
        }
        return event;
    }

    private void getConfig(FrontEndMessage message) throws IOException {
        byte[] config = device.config(scene);
        int offset = message.intAt(0);
        int size = message.intAt(4);
        if (offset < 0 || size < 0 || size > message.payload().length - Payload.CONFIG_HEADER_SIZE) {
            answer(message, Payload.none());
            return;
        }
        // Bytes behind the end of the config space read as zeros.
        byte[] data = new byte[size];
        if (offset < config.length) {
            System.arraycopy(config, offset, data, 0, Math.min(size, config.length - offset));
        }
        if (provocation == Provocation.WRONG_REPLY && scene.isRunning()) {
            provocation = Provocation.NONE;
            session.provoked(Event.Provoked.Kind.WRONG_REPLY);
            send(Request.GET_STATUS, Payload.number(0), List.of());
            return;
        }
        answer(message, Payload.config(offset, size, message.intAt(8), data));
    }

    private void setConfig(FrontEndMessage message) {
        int size = message.intAt(4);
        if (size < 0 || size > message.payload().length - Payload.CONFIG_HEADER_SIZE) {
            return;
        }
        byte[] data = new byte[size];
        System.arraycopy(message.payload(), Payload.CONFIG_HEADER_SIZE, data, 0, size);
        session.see(new Event.ConfigWritten(message.intAt(0), data));
        device.written(scene, message.intAt(0), data);
    }

    private void setStatus(int status) {
        if ((status & 0xff) == 0) {
            session.reset();
            scene.setStatus(0);
            return;
        }
        if ((status & Scene.SUSPEND) != 0) {
            scene.setStatus(status & ~Scene.DRIVER_OK);
            return;
        }
        scene.setStatus(status | scene.status() & Scene.NEEDS_RESET);
    }

    private void getVringBase(FrontEndMessage message) throws IOException {
        Ring ring = scene.ring(message.intAt(0));
        int position = session.stop(ring);
        byte[] answer = ByteBuffer.allocate(RING_STATE)
                .order(ByteOrder.nativeOrder())
                .putInt(message.intAt(0))
                .putInt(position)
                .array();
        answer(message, answer);
    }

    /**
     * The area stays empty. Requests in flight at a device's end matter to the next device only, and this device ends
     * with its session.
     */
    private void getInflight(FrontEndMessage message) throws IOException {
        int queues = Math.max(1, message.shortAt(16));
        int entries = Math.max(1, message.shortAt(18));
        long size = queues * (4096L + 64L * entries);
        try (SharedFile file = SharedFile.memfd("in-flight", size)) {
            byte[] payload = ByteBuffer.allocate(Payload.INFLIGHT_SIZE)
                    .order(ByteOrder.nativeOrder())
                    .putLong(size)
                    .putLong(0)
                    .putShort((short) queues)
                    .putShort((short) entries)
                    .array();
            send(message.request(), payload, List.of(file.fd()));
        }
    }

    private void transfer(FrontEndMessage message) throws IOException {
        if (message.fds().isEmpty()) {
            answer(message, Payload.number(NO_FD | 1));
            return;
        }
        answer(message, Payload.number(NO_FD));
        boolean save = message.intAt(0) == SAVE;
        boolean whole = true;
        try (Fd channel = message.fds().getFirst()) {
            if (save) {
                StateChannel.writeAll(channel, STATE, scene.scaled(TO_TRANSFER));
            } else {
                StateChannel.readAll(channel, scene.scaled(TO_TRANSFER));
            }
        } catch (IOException e) {
            whole = false;
        }
        transferResult = whole ? 0 : 1;
        session.see(new Event.Transferred(save, whole));
    }

    /** Answers a request that has no answer of its own, if it asked for a reply. */
    private void confirm(FrontEndMessage message, boolean done) throws IOException {
        if (!message.needsReply() || !scene.hasProtocol(Protocol.REPLY_ACK)) {
            return;
        }
        boolean fails = provocation == Provocation.FAILURE && message.is(Request.SET_VRING_CALL);
        if (fails) {
            provocation = Provocation.NONE;
            session.provoked(Event.Provoked.Kind.FAILURE);
        }
        answer(message, Payload.number(done && !fails ? 0 : 1));
    }

    private void answer(FrontEndMessage message, byte[] payload) throws IOException {
        send(message.request(), payload, List.of());
    }

    private void send(int request, byte[] payload, List<Fd> fds) throws IOException {
        byte[] bytes = Connection.encode(request, Reply.REPLY_FLAGS, payload);
        traffic.sent(bytes, fds.size());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(bytes.length);
            MemorySegment.copy(bytes, 0, copy, ValueLayout.JAVA_BYTE, 0, bytes.length);
            socket.send(copy, fds, SEND_MILLIS);
        }
    }

    private static void closeAll(FrontEndMessage message) {
        message.fds().forEach(Fd::close);
    }
}
