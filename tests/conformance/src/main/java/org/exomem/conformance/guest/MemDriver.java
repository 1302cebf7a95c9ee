package org.exomem.conformance.guest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Request;

/**
 * The guest's side of a memory device (spec/mem.md). It plugs and unplugs blocks for its caller. Addresses and sizes
 * are bytes.
 */
public final class MemDriver implements AutoCloseable {
    public static final int PLUG = 0;
    public static final int UNPLUG = 1;
    public static final int UNPLUG_ALL = 2;
    public static final int STATE = 3;

    /** The types of responses (MEM-RESP-1). */
    public enum Answer {
        ACK,
        NACK,
        BUSY,
        ERROR
    }

    /** The states in the response to STATE (MEM-STATE-1). */
    public enum State {
        PLUGGED,
        UNPLUGGED,
        MIXED
    }

    /**
     * A response as it is in memory.
     *
     * @param written number of bytes, from the used entry
     */
    public record Response(Answer answer, int state, long written) {}

    private static final int REQUEST_SIZE = 24;
    private static final int RESPONSE_SIZE = 10;
    private static final int CONFIG_SIZE = 56;
    private static final int QUEUE_SIZE = 128;

    private final AttachedDevice device;
    private final RingDriver ring;
    private final long request;
    private final long response;
    private final Duration limit = FrontEnd.LIMIT;
    private boolean indirect;

    private MemDriver(AttachedDevice device) throws IOException {
        this.device = device;
        this.ring = device.addRing(0, QUEUE_SIZE);
        this.request = device.ram().allocate(REQUEST_SIZE, 8);
        this.response = device.ram().allocate(RESPONSE_SIZE, 8);
    }

    /** Creates the driver of a device that is attached and whose ring runs. */
    public static MemDriver start(AttachedDevice device) throws IOException {
        MemDriver driver = new MemDriver(device);
        device.start();
        return driver;
    }

    /** Sends requests through indirect tables from now on, as Linux does. Needs INDIRECT_DESC. Returns this. */
    public MemDriver indirect() {
        indirect = true;
        return this;
    }

    public AttachedDevice device() {
        return device;
    }

    /** The ring of requests. */
    public RingDriver ring() {
        return ring;
    }

    /** The present config space (MEM-CFG-1). */
    public record Config(
            long blockSize,
            int nodeId,
            long address,
            long regionSize,
            long usableSize,
            long pluggedSize,
            long requestedSize) {}

    public Config config() throws IOException {
        ByteBuffer bytes =
                ByteBuffer.wrap(device.frontEnd().getConfig(0, CONFIG_SIZE)).order(ByteOrder.LITTLE_ENDIAN);
        return new Config(
                bytes.getLong(0),
                bytes.getShort(8) & 0xffff,
                bytes.getLong(16),
                bytes.getLong(24),
                bytes.getLong(32),
                bytes.getLong(40),
                bytes.getLong(48));
    }

    /** Waits for a notification that the config space has changed (MEM-CFG-5). */
    public void awaitConfigChange() throws IOException {
        device.channel().await(Request.BackEnd.CONFIG_CHANGE);
    }

    public Answer plug(long address, int blocks) throws IOException {
        return send(PLUG, address, blocks).answer();
    }

    public Answer unplug(long address, int blocks) throws IOException {
        return send(UNPLUG, address, blocks).answer();
    }

    public Answer unplugAll() throws IOException {
        return send(UNPLUG_ALL, 0, 0).answer();
    }

    /** The state of a range of blocks. Fails if the device does not acknowledge the request. */
    public State state(long address, int blocks) throws IOException {
        Response answered = send(STATE, address, blocks);
        if (answered.answer() != Answer.ACK) {
            throw new IOException("STATE of " + blocks + " blocks at 0x" + Long.toHexString(address)
                    + " was answered with " + answered.answer());
        }
        return State.values()[answered.state()];
    }

    /** Sends a request of any kind and waits for the response. */
    public Response send(int type, long address, int blocks) throws IOException {
        write(request, type, address, blocks);
        List<Buffer> chain = List.of(Buffer.readable(request, REQUEST_SIZE), Buffer.writable(response, RESPONSE_SIZE));
        return read(response, indirect ? ring.transferIndirect(chain, limit) : ring.transfer(chain, limit));
    }

    /** Writes a request into guest memory. Fills the padding, which a device must ignore (MEM-REQ-2). */
    public void write(long at, int type, long address, int blocks) {
        GuestRam ram = device.ram();
        ram.fill(at, REQUEST_SIZE, (byte) 0xa5);
        ram.putShort(at, type);
        ram.putLong(at + 8, address);
        ram.putShort(at + 16, blocks);
        ram.fill(response, RESPONSE_SIZE, (byte) 0x5a);
    }

    /** Reads a response from guest memory. */
    public Response read(long at, Used used) throws IOException {
        ByteBuffer bytes = device.ram().bytes(at, RESPONSE_SIZE).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        int type = bytes.getShort(0) & 0xffff;
        if (type >= Answer.values().length) {
            throw new IOException("the device answered with response type " + type);
        }
        return new Response(Answer.values()[type], bytes.getShort(8) & 0xffff, used.written());
    }

    @Override
    public void close() {
        device.close();
    }
}
