package org.exomem.conformance.frontend;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;

/**
 * The front-end's side of a vhost-user connection. Each request is a method; {@link #connection} can send everything
 * else. For one thread at a time.
 *
 * <p>After REPLY_ACK was acknowledged, every request without a reply of its own asks for one, and an error throws
 * {@link RequestRefusedException}. Without REPLY_ACK the back-end can refuse only by closing the connection.
 */
public final class FrontEnd implements AutoCloseable {
    /** The default limit for the wait for a reply. */
    public static final Duration LIMIT = Duration.ofSeconds(30);

    private static final int NO_FD = 1 << 8;

    private final Connection connection;
    private final Duration limit;
    private final Traffic channelTraffic;
    private long protocolFeatures;

    /** Takes ownership of a connected socket. */
    public FrontEnd(Fd fd, Duration limit) {
        this(fd, limit, Traffic.UNWATCHED, Traffic.UNWATCHED);
    }

    /**
     * Like {@link #FrontEnd(Fd, Duration)}, with observers.
     *
     * @param traffic notified of the front-end's messages and their replies
     * @param channelTraffic notified of the back-end's own requests and their replies
     */
    public FrontEnd(Fd fd, Duration limit, Traffic traffic, Traffic channelTraffic) {
        this.connection = new Connection(fd, limit, traffic);
        this.limit = limit;
        this.channelTraffic = channelTraffic;
    }

    /** Connects to a back-end that listens. */
    public static FrontEnd connect(Path socket) throws IOException {
        return new FrontEnd(UnixSockets.connect(socket), LIMIT);
    }

    /** Waits on a listening socket for a back-end that connects. The listening socket remains the caller's. */
    public static FrontEnd accept(Fd listening) throws IOException {
        Fd accepted = Poll.readable(listening, LIMIT) ? UnixSockets.accept(listening) : null;
        if (accepted == null) {
            throw new SocketTimeoutException("no back-end connected within " + LIMIT.toMillis() + " ms");
        }
        return new FrontEnd(accepted, LIMIT);
    }

    /** The connection itself. */
    public Connection connection() {
        return connection;
    }

    /** The protocol features that were acknowledged. */
    public long protocolFeatures() {
        return protocolFeatures;
    }

    // Features

    public long getFeatures() throws IOException {
        return ask(Request.GET_FEATURES, Payload.none()).asLong();
    }

    public void setFeatures(long features) throws IOException {
        command(Request.SET_FEATURES, Payload.number(features));
    }

    public long getProtocolFeatures() throws IOException {
        return ask(Request.GET_PROTOCOL_FEATURES, Payload.none()).asLong();
    }

    public void setProtocolFeatures(long features) throws IOException {
        command(Request.SET_PROTOCOL_FEATURES, Payload.number(features));
        protocolFeatures = features;
    }

    public long getQueueNum() throws IOException {
        return ask(Request.GET_QUEUE_NUM, Payload.none()).asLong();
    }

    public void setOwner() throws IOException {
        command(Request.SET_OWNER, Payload.none());
    }

    public void resetOwner() throws IOException {
        command(Request.RESET_OWNER, Payload.none());
    }

    // Memory

    /** Shares all regions at once, each with its file; at most 8. */
    public void setMemTable(List<Region> regions, List<Fd> files) throws IOException {
        command(Request.SET_MEM_TABLE, Payload.regions(regions), files);
    }

    public long getMaxMemSlots() throws IOException {
        return ask(Request.GET_MAX_MEM_SLOTS, Payload.none()).asLong();
    }

    public void addMemoryRegion(Region region, Fd file) throws IOException {
        command(Request.ADD_MEM_REG, Payload.region(region), List.of(file));
    }

    public void removeMemoryRegion(Region region) throws IOException {
        command(Request.REM_MEM_REG, Payload.region(region));
    }

    // Log

    /** Shares the dirty log. The back-end answers this with and without need-reply (VHU-LOG-2). */
    public void setLogBase(SharedFile file, long size, long offset) throws IOException {
        connection.send(Request.SET_LOG_BASE, Connection.VERSION, Payload.log(size, offset), List.of(file.fd()));
        Reply reply = expect(Request.SET_LOG_BASE);
        if (reply.payload().length == Long.BYTES && reply.asLong() != 0) {
            throw new RequestRefusedException(Request.SET_LOG_BASE, "error " + reply.asLong());
        }
    }

    public void setLogFd(EventFd event) throws IOException {
        command(Request.SET_LOG_FD, Payload.none(), List.of(event.fd()));
    }

    // Rings

    public void setVringNum(int index, int size) throws IOException {
        command(Request.SET_VRING_NUM, Payload.ring(index, size));
    }

    public void setVringAddr(RingAddresses addresses) throws IOException {
        command(Request.SET_VRING_ADDR, Payload.ringAddresses(addresses));
    }

    public void setVringBase(int index, int base) throws IOException {
        command(Request.SET_VRING_BASE, Payload.ring(index, base));
    }

    /** Stops the ring. Returns its position. */
    public int getVringBase(int index) throws IOException {
        Reply reply = ask(Request.GET_VRING_BASE, Payload.ring(index, 0));
        if (reply.payload().length != Long.BYTES) {
            throw new IOException("GET_VRING_BASE of ring " + index + " was answered with " + reply.payload().length
                    + " bytes, not the 8 of a ring's state");
        }
        if (reply.buffer().getInt(0) != index) {
            throw new IOException("GET_VRING_BASE of ring " + index + " was answered with the state of ring "
                    + Integer.toUnsignedString(reply.buffer().getInt(0)));
        }
        return reply.buffer().getInt(4);
    }

    public void setVringKick(int index, EventFd event) throws IOException {
        command(Request.SET_VRING_KICK, Payload.number(index), List.of(event.fd()));
    }

    /** Starts the ring without a kick descriptor: the back-end polls. */
    public void setVringKickPolled(int index) throws IOException {
        command(Request.SET_VRING_KICK, Payload.number(index | NO_FD));
    }

    public void setVringCall(int index, EventFd event) throws IOException {
        command(Request.SET_VRING_CALL, Payload.number(index), List.of(event.fd()));
    }

    /** Tells the device not to call the driver, which polls. */
    public void setVringCallPolled(int index) throws IOException {
        command(Request.SET_VRING_CALL, Payload.number(index | NO_FD));
    }

    public void setVringErr(int index, EventFd event) throws IOException {
        command(Request.SET_VRING_ERR, Payload.number(index), List.of(event.fd()));
    }

    public void setVringEnable(int index, boolean enabled) throws IOException {
        command(Request.SET_VRING_ENABLE, Payload.ring(index, enabled ? 1 : 0));
    }

    public void vringKick(int index) throws IOException {
        command(Request.VRING_KICK, Payload.ring(index, 0));
    }

    // Device

    /** Creates a channel for the back-end's own requests. */
    public BackEndChannel openBackEndChannel() throws IOException {
        List<Fd> pair = UnixSockets.pair();
        try (Fd theirs = pair.get(1)) {
            command(Request.SET_BACKEND_REQ_FD, Payload.none(), List.of(theirs));
            return new BackEndChannel(pair.get(0), limit, channelTraffic);
        } catch (IOException | RuntimeException e) {
            pair.get(0).close();
            throw e;
        }
    }

    /** Reads bytes of the config space. */
    public byte[] getConfig(int offset, int size) throws IOException {
        Reply reply = ask(Request.GET_CONFIG, Payload.config(offset, size, 0, new byte[size]));
        int got = reply.payload().length - Payload.CONFIG_HEADER_SIZE;
        if (got <= 0) {
            throw new RequestRefusedException(Request.GET_CONFIG, "an empty reply");
        }
        if (got != size || reply.buffer().getInt(0) != offset || reply.buffer().getInt(4) != size) {
            throw new IOException("GET_CONFIG of " + size + " bytes at " + offset + " was answered with " + got
                    + " bytes at " + reply.buffer().getInt(0));
        }
        byte[] data = new byte[size];
        reply.buffer().get(Payload.CONFIG_HEADER_SIZE, data);
        return data;
    }

    /** Writes the config space, as the driver does. */
    public void setConfig(int offset, byte[] data) throws IOException {
        setConfig(offset, data, 0);
    }

    /**
     * @param flags 0: the driver writes; 1: the state of a migrated device
     */
    public void setConfig(int offset, byte[] data, int flags) throws IOException {
        command(Request.SET_CONFIG, Payload.config(offset, data.length, flags, data));
    }

    public void resetDevice() throws IOException {
        command(Request.RESET_DEVICE, Payload.none());
    }

    public void setStatus(int status) throws IOException {
        command(Request.SET_STATUS, Payload.number(status));
    }

    public int getStatus() throws IOException {
        return (int) ask(Request.GET_STATUS, Payload.none()).asLong();
    }

    // In-flight memory

    /** In-flight memory that the back-end has created. The caller closes the file. */
    public record Inflight(InflightArea area, SharedFile file) implements AutoCloseable {
        @Override
        public void close() {
            file.close();
        }
    }

    public Inflight getInflightFd(int queues, int queueSize) throws IOException {
        connection.send(
                Request.GET_INFLIGHT_FD,
                Connection.VERSION,
                Payload.inflight(new InflightArea(0, 0, queues, queueSize)),
                List.of());
        Reply reply = expect(Request.GET_INFLIGHT_FD);
        if (reply.fds().size() != 1) {
            reply.fds().forEach(Fd::close);
            throw new RequestRefusedException(
                    Request.GET_INFLIGHT_FD, reply.fds().size() + " descriptors");
        }
        InflightArea area = new InflightArea(
                reply.buffer().getLong(0),
                reply.buffer().getLong(8),
                reply.buffer().getShort(16),
                reply.buffer().getShort(18));
        return new Inflight(area, new SharedFile(reply.fds().getFirst()));
    }

    public void setInflightFd(Inflight inflight) throws IOException {
        command(
                Request.SET_INFLIGHT_FD,
                Payload.inflight(inflight.area()),
                List.of(inflight.file().fd()));
    }

    // Device state

    /**
     * Begins a transfer of the device's state (STA-MOV-3).
     *
     * @param direction 0 saves, 1 loads
     * @param channel the back-end's end of a pipe; remains the caller's
     * @return the reply's number: bits 0 to 7 an error, bit 8 if no descriptor came
     */
    public long setDeviceStateFd(int direction, Fd channel) throws IOException {
        connection.send(
                Request.SET_DEVICE_STATE_FD, Connection.VERSION, Payload.deviceState(direction, 0), List.of(channel));
        Reply reply = expect(Request.SET_DEVICE_STATE_FD);
        reply.fds().forEach(Fd::close);
        return reply.asLong();
    }

    /** The result of the transfer, after its end: 0 is success. */
    public long checkDeviceState() throws IOException {
        return ask(Request.CHECK_DEVICE_STATE, Payload.none()).asLong();
    }

    /** The whole state of the device. */
    public byte[] saveDeviceState() throws IOException {
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        try (Fd readEnd = pipe.readEnd()) {
            try (Fd writeEnd = pipe.writeEnd()) {
                requireBegun(setDeviceStateFd(0, writeEnd));
            }
            byte[] state = StateChannel.readAll(readEnd, limit);
            requireGood(checkDeviceState());
            return state;
        }
    }

    /** Loads a state into the device. Fails if the device does not accept it. */
    public void loadDeviceState(byte[] state) throws IOException {
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        try (Fd writeEnd = pipe.writeEnd()) {
            try (Fd readEnd = pipe.readEnd()) {
                requireBegun(setDeviceStateFd(1, readEnd));
            }
            StateChannel.writeAll(writeEnd, state, limit);
        }
        requireGood(checkDeviceState());
    }

    private static void requireBegun(long reply) throws RequestRefusedException {
        if (reply != NO_FD) {
            throw new RequestRefusedException(Request.SET_DEVICE_STATE_FD, "0x" + Long.toHexString(reply));
        }
    }

    private static void requireGood(long reply) throws RequestRefusedException {
        if (reply != 0) {
            throw new RequestRefusedException(Request.CHECK_DEVICE_STATE, "error " + reply);
        }
    }

    // The wire

    /**
     * Sends a message as given, valid or not, and waits for nothing. The descriptors remain the caller's.
     *
     * @param request its number, one of {@link Request} or any other
     * @param flags all 32 bits; {@link Connection#VERSION} for an ordinary request
     */
    public void send(int request, int flags, byte[] payload, List<Fd> fds) throws IOException {
        connection.send(request, flags, payload, fds);
    }

    /** Sends a request that has a reply, and waits for the reply. Closes descriptors that came with it. */
    public Reply ask(int request, byte[] payload) throws IOException {
        connection.send(request, Connection.VERSION, payload, List.of());
        Reply reply = expect(request);
        reply.fds().forEach(Fd::close);
        return reply;
    }

    /** Sends a request without a reply of its own. If REPLY_ACK is acknowledged, asks for a reply and waits for it. */
    public void command(int request, byte[] payload) throws IOException {
        command(request, payload, List.of());
    }

    /** Like {@link #command(int, byte[])}, with descriptors, which remain the caller's. */
    public void command(int request, byte[] payload, List<Fd> fds) throws IOException {
        boolean confirmed = (protocolFeatures & Protocol.REPLY_ACK) != 0;
        connection.send(
                request, confirmed ? Connection.VERSION | Connection.NEED_REPLY : Connection.VERSION, payload, fds);
        if (confirmed) {
            long result = expect(request).asLong();
            if (result != 0) {
                throw new RequestRefusedException(request, "error " + result);
            }
        }
    }

    private Reply expect(int request) throws IOException {
        Reply reply = connection.receive();
        if (reply.request() != request || reply.flags() != Reply.REPLY_FLAGS) {
            reply.fds().forEach(Fd::close);
            throw new IOException("request " + request + " was answered with a reply to request " + reply.request()
                    + ", flags 0x" + Integer.toHexString(reply.flags()));
        }
        return reply;
    }

    @Override
    public void close() {
        connection.close();
    }
}
