package org.exomem.conform.checks.mem;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/**
 * A session with a memory device (VIRTIO 5.15) whose ring runs. It sends requests as bytes, and reads the config space.
 * The blocks of a device outlive its sessions, so a check begins and ends with all of them unplugged. For one thread.
 */
final class MemSession {
    static final int PLUG = 0;
    static final int UNPLUG = 1;
    static final int UNPLUG_ALL = 2;
    static final int STATE = 3;

    /** Feature bits of the device type, as masks. */
    static final long ACPI_PXM = 1;

    static final long UNPLUGGED_INACCESSIBLE = 1 << 1;
    static final long PERSISTENT_SUSPEND = 1 << 2;

    static final Wish WISH = Wish.USUAL
            .wanting(ACPI_PXM | UNPLUGGED_INACCESSIBLE | PERSISTENT_SUSPEND)
            .withProtocol(Protocol.CONFIG);

    static final int REQUEST_SIZE = 24;
    private static final int RESPONSE_SIZE = 10;
    private static final int CONFIG_SIZE = 56;
    private static final byte UNWRITTEN = 0x5a;
    /** The number of bytes at each end of a block that are written and compared. */
    private static final int MARK = 4096;

    /** The types of responses, in the order of their numbers. */
    enum Answer {
        ACK,
        NACK,
        BUSY,
        ERROR
    }

    /** The states in the response to STATE, in the order of their numbers. */
    enum State {
        PLUGGED,
        UNPLUGGED,
        MIXED
    }

    /** A response as it is in memory. */
    record Response(Answer answer, int state) {}

    /** The config space; sizes and addresses are bytes. */
    record Config(
            long blockSize, int nodeId, long address, long regionSize, long usableSize, long plugged, long requested) {
        /** True if all fields agree that can't change. */
        boolean isSameDevice(Config other) {
            return blockSize == other.blockSize
                    && nodeId == other.nodeId
                    && address == other.address
                    && regionSize == other.regionSize;
        }

        long block(long index) {
            return address + index * blockSize;
        }
    }

    private final Trial trial;
    private final FrontEnd frontEnd;
    private final GuestRam ram;
    private final RingDriver ring;
    private final long request;
    private final long response;

    private MemSession(Trial trial, FrontEnd frontEnd, GuestRam ram, RingDriver ring) {
        this.trial = trial;
        this.frontEnd = frontEnd;
        this.ram = ram;
        this.ring = ring;
        this.request = ram.allocate(REQUEST_SIZE, Long.BYTES);
        this.response = ram.allocate(RESPONSE_SIZE, Long.BYTES);
    }

    /** A session in which no block is plugged. The end of the check unplugs all blocks again. */
    static MemSession empty(Trial trial) throws IOException {
        return empty(trial, WISH);
    }

    static MemSession empty(Trial trial, Wish wish) throws IOException {
        return empty(trial, trial.session(wish).start());
    }

    private static MemSession empty(Trial trial, Session session) throws IOException {
        MemSession mem = of(trial, session);
        mem.unplugAll();
        trial.closeLater(mem::unplugAllThatIsLeft);
        return mem;
    }

    /** A session in which no block is plugged, and at least so many can be. */
    static MemSession withRoom(Trial trial, int blocks) throws IOException {
        return withRoom(trial, WISH, blocks);
    }

    static MemSession withRoom(Trial trial, Wish wish, int blocks) throws IOException {
        MemSession mem = empty(trial, wish);
        mem.requireRoom(blocks);
        return mem;
    }

    /** A session over a device that is attached already. Does not change its blocks. */
    static MemSession of(Trial trial, Session session) {
        return new MemSession(trial, session.frontEnd(), session.ram(), session.ring());
    }

    static MemSession of(Trial trial, FrontEnd frontEnd, GuestRam ram, RingDriver ring) {
        return new MemSession(trial, frontEnd, ram, ring);
    }

    /** Skips the check unless so many blocks can be plugged while none is. */
    void requireRoom(int blocks) throws IOException {
        Config config = config();
        long room = Math.min(config.requested(), config.usableSize());
        if (room < blocks * config.blockSize()) {
            throw new Skipped("requested_size is " + config.requested() + " and usable_region_size "
                    + config.usableSize() + ": too small to plug " + blocks + " blocks of " + config.blockSize()
                    + " bytes");
        }
    }

    FrontEnd frontEnd() {
        return frontEnd;
    }

    GuestRam ram() {
        return ram;
    }

    RingDriver ring() {
        return ring;
    }

    Config config() throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(frontEnd.getConfig(0, CONFIG_SIZE)).order(ByteOrder.LITTLE_ENDIAN);
        return new Config(
                bytes.getLong(0),
                bytes.getShort(8) & 0xffff,
                bytes.getLong(16),
                bytes.getLong(24),
                bytes.getLong(32),
                bytes.getLong(40),
                bytes.getLong(48));
    }

    // Requests

    /** The bytes of a request; all other bytes are zeros. */
    static ByteBuffer encode(int type, long address, int blocks) {
        return ByteBuffer.allocate(REQUEST_SIZE)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putShort(0, (short) type)
                .putLong(8, address)
                .putShort(16, (short) blocks);
    }

    /** Sends a request once, and returns any response. */
    Response send(int type, long address, int blocks) throws IOException {
        return send(encode(type, address, blocks));
    }

    /** Sends the bytes of a request once. */
    Response send(ByteBuffer bytes) throws IOException {
        return send(bytes, request, response);
    }

    /** Sends a request from one address, with room for the response at another. */
    Response send(ByteBuffer bytes, long requestAt, long responseAt) throws IOException {
        ram.bytes(requestAt, REQUEST_SIZE).asByteBuffer().put(bytes.array());
        ram.fill(responseAt, RESPONSE_SIZE, UNWRITTEN);
        ring.transfer(
                List.of(Buffer.readable(requestAt, REQUEST_SIZE), Buffer.writable(responseAt, RESPONSE_SIZE)),
                trial.limits().answer());
        int type = ram.getInt(responseAt) & 0xffff;
        if (type >= Answer.values().length) {
            throw new Unmet("a request was answered with response type " + type + "; types are 0 (ACK) to 3 (ERROR)");
        }
        return new Response(Answer.values()[type], ram.getInt(responseAt + 8 - 2) >>> 16);
    }

    /** Sends a request again until the device is not busy. */
    Response untilNotBusy(ByteBuffer bytes) throws IOException {
        long end = System.nanoTime() + trial.limits().answer().toNanos();
        while (true) {
            Response answered = send(bytes);
            if (answered.answer() != Answer.BUSY) {
                return answered;
            }
            if (System.nanoTime() > end) {
                throw new Skipped("the device has answered BUSY for "
                        + trial.limits().answer().toMillis() + " ms");
            }
        }
    }

    /** Plugs blocks for which there is room. Skips the check if the device can't. */
    void plug(long address, int blocks) throws IOException {
        plug(encode(PLUG, address, blocks));
    }

    void plug(ByteBuffer bytes) throws IOException {
        carryOut("PLUG of unplugged blocks within requested_size", bytes);
    }

    /** Unplugs plugged blocks. Skips the check if the device can't. */
    void unplug(long address, int blocks) throws IOException {
        unplug(encode(UNPLUG, address, blocks));
    }

    void unplug(ByteBuffer bytes) throws IOException {
        carryOut("UNPLUG of plugged blocks", bytes);
    }

    void unplugAll() throws IOException {
        carryOut("UNPLUG ALL", encode(UNPLUG_ALL, 0, 0));
    }

    void carryOut(String what, ByteBuffer bytes) throws IOException {
        Answer answer = untilNotBusy(bytes).answer();
        if (answer == Answer.NACK) {
            throw new Skipped("the device does not carry out " + what + ": NACK");
        }
        trial.expect(answer == Answer.ACK, what + " was answered with " + answer + ", not with ACK");
    }

    private void unplugAllThatIsLeft() throws IOException {
        if (config().plugged() != 0) {
            unplugAll();
        }
    }

    /** The state of blocks. Fails if the device does not return it. */
    State state(long address, int blocks) throws IOException {
        return stateOf(send(STATE, address, blocks));
    }

    /** The state in a response to STATE. */
    State stateOf(Response answered) {
        trial.expect(
                answered.answer() == Answer.ACK,
                "STATE of blocks of the usable region was answered with " + answered.answer() + ", not with ACK");
        trial.expect(
                answered.state() < State.values().length,
                "STATE was answered with state " + answered.state()
                        + "; states are 0 (PLUGGED), 1 (UNPLUGGED) and 2 (MIXED)");
        return State.values()[answered.state()];
    }

    void expectState(long address, int blocks, State expected, String when) throws IOException {
        State state = state(address, blocks);
        trial.expect(
                state == expected,
                "STATE of " + blocks + " blocks at 0x" + Long.toHexString(address) + " is " + state + ", not "
                        + expected + ", " + when);
    }

    void expectPlugged(long bytes, String when) throws IOException {
        long plugged = config().plugged();
        trial.expect(plugged == bytes, "plugged_size is " + plugged + ", not " + bytes + ", " + when);
    }

    // Content

    /** Writes both ends of a block. */
    void mark(Config config, long block, int value) {
        ram.fill(config.block(block), MARK, (byte) value);
        ram.fill(config.block(block + 1) - MARK, MARK, (byte) value);
    }

    void expectMarked(Config config, long block, int value, String when) {
        for (long at : new long[] {config.block(block), config.block(block + 1) - MARK}) {
            byte[] bytes = ram.bytes(at, MARK).toArray(ValueLayout.JAVA_BYTE);
            for (int i = 0; i < MARK; i++) {
                if (bytes[i] != (byte) value) {
                    throw new Unmet("the byte at 0x" + Long.toHexString(at + i) + " of a plugged block is " + bytes[i]
                            + ", not " + (byte) value + ", " + when);
                }
            }
        }
    }
}
