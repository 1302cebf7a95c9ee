package org.exomem.conform.explore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.exomem.conform.explore.Step.Attachment;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;

/** Generates a script from a seed: a correct session, with faults inserted. The same seed gives the same script. */
final class ScriptWriter {
    private static final int NO_FD = 1 << 8;
    private static final int LAST_REQUEST = 46;
    private static final int MOST_STRAY = 24;
    private static final int DESCRIPTOR = 16;

    /** Boundary values, at which programs often fail. */
    private static final long[] EDGES = {
        0,
        1,
        2,
        7,
        8,
        15,
        16,
        17,
        255,
        256,
        4095,
        4096,
        4097,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x7fffffffL,
        0x80000000L,
        0xffffffffL,
        GuestLayout.MEMORY,
        GuestLayout.MEMORY - 1,
        GuestLayout.USER,
        GuestLayout.USER + GuestLayout.MEMORY,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        -4096,
        -1
    };

    private final RandomGenerator random;
    private final long offered;
    private final long offeredProtocol;
    private final List<Step> steps = new ArrayList<>();

    private ScriptWriter(long seed, long offered, long offeredProtocol) {
        this.random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        this.offered = offered;
        this.offeredProtocol = offeredProtocol;
    }

    /**
     * @param offered mask of the virtio features that the back-end offers
     * @param offeredProtocol mask of its protocol features
     */
    static Script write(long seed, long offered, long offeredProtocol) {
        ScriptWriter writer = new ScriptWriter(seed, offered, offeredProtocol);
        writer.session();
        writer.stray();
        return new Script(writer.steps);
    }

    // A correct session

    private void session() {
        long features = offered & (random.nextInt(4) == 0 ? random.nextLong() : ~0L) | 1L << 30;
        send(Request.SET_OWNER, Payload.none());
        send(Request.SET_PROTOCOL_FEATURES, Payload.number(offeredProtocol & protocolMask()));
        send(Request.SET_FEATURES, Payload.number(features & offered));
        send(
                Request.SET_MEM_TABLE,
                Payload.regions(List.of(new Region(0, GuestLayout.MEMORY, GuestLayout.USER, 0))),
                Attachment.MEMORY);
        for (int ring = 0; ring < GuestLayout.RINGS; ring++) {
            if (ring == 0 || random.nextBoolean()) {
                ring(ring);
            }
        }
    }

    /**
     * In-band notifications and post-copy change what a front-end must do, so they are chosen with a small chance only.
     */
    private long protocolMask() {
        long delicate = 1L << 8 | 1L << 14;
        return random.nextInt(8) == 0 ? ~0L : ~delicate;
    }

    private void ring(int ring) {
        chains(ring);
        send(Request.SET_VRING_NUM, Payload.ring(ring, GuestLayout.RING_SIZE));
        send(Request.SET_VRING_BASE, Payload.ring(ring, 0));
        send(Request.SET_VRING_ADDR, Payload.ringAddresses(addresses(ring)));
        send(Request.SET_VRING_CALL, Payload.number(ring), Attachment.CALL);
        send(Request.SET_VRING_KICK, Payload.number(ring), Attachment.KICK);
        send(Request.SET_VRING_ENABLE, Payload.ring(ring, 1));
        steps.add(new Step.Kick(ring));
    }

    private static RingAddresses addresses(int ring) {
        return new RingAddresses(
                ring,
                0,
                GuestLayout.USER + GuestLayout.descriptors(ring),
                GuestLayout.USER + GuestLayout.used(ring),
                GuestLayout.USER + GuestLayout.available(ring),
                0);
    }

    /** Makes some chains of a split ring, each field of which may be wrong. */
    private void chains(int ring) {
        ByteBuffer table = little(GuestLayout.RING_SIZE * DESCRIPTOR);
        for (int i = 0; i < GuestLayout.RING_SIZE; i++) {
            table.putLong(number(GuestLayout.BUFFERS + i * 4096L));
            table.putInt((int) number(random.nextInt(1, 64)));
            table.putShort((short) (random.nextInt(3) == 0 ? random.nextInt(8) : random.nextInt(4)));
            table.putShort((short) (random.nextInt(12) == 0 ? number(i) : random.nextInt(GuestLayout.RING_SIZE)));
        }
        steps.add(new Step.Write(GuestLayout.descriptors(ring), table.array()));
        byte[] content = new byte[random.nextInt(1, 64)];
        random.nextBytes(content);
        steps.add(new Step.Write(GuestLayout.BUFFERS + random.nextInt(GuestLayout.RING_SIZE) * 4096L, content));
        ByteBuffer available = little(4 + 2 * GuestLayout.RING_SIZE);
        available.putShort((short) 0).putShort((short) number(random.nextInt(1, GuestLayout.RING_SIZE)));
        for (int i = 0; i < GuestLayout.RING_SIZE; i++) {
            available.putShort((short) number(random.nextInt(GuestLayout.RING_SIZE)));
        }
        steps.add(new Step.Write(GuestLayout.available(ring), available.array()));
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The right number, or with a small chance another one. */
    private long number(long right) {
        return switch (random.nextInt(24)) {
            case 0 -> EDGES[random.nextInt(EDGES.length)];
            case 1 -> right + EDGES[random.nextInt(EDGES.length)];
            default -> right;
        };
    }

    // Steps that do not belong to a correct session

    private void stray() {
        int count = random.nextInt(MOST_STRAY);
        for (int i = 0; i < count; i++) {
            int at = random.nextInt(steps.size() + 1);
            List<Step> rest = new ArrayList<>(steps.subList(at, steps.size()));
            steps.subList(at, steps.size()).clear();
            strayStep();
            steps.addAll(rest);
        }
    }

    private void strayStep() {
        switch (random.nextInt(12)) {
            case 0 -> steps.add(new Step.Settle());
            case 1 -> steps.add(new Step.Kick(random.nextInt(GuestLayout.RINGS)));
            case 2 -> chains(random.nextInt(GuestLayout.RINGS));
            case 3 -> steps.add(random.nextInt(6) == 0 ? new Step.Reconnect() : new Step.Settle());
            case 4 -> send(Request.GET_VRING_BASE, Payload.ring(random.nextInt(GuestLayout.RINGS), 0));
            case 5 ->
                send(Request.SET_VRING_ENABLE, Payload.ring(random.nextInt(GuestLayout.RINGS), random.nextInt(2)));
            case 6 -> send(Request.SET_VRING_CALL, Payload.number(random.nextInt(GuestLayout.RINGS) | NO_FD));
            case 7 ->
                send(
                        Request.GET_INFLIGHT_FD,
                        Payload.inflight(new InflightArea(0, 0, random.nextInt(1, 5), GuestLayout.RING_SIZE)));
            case 8 ->
                send(Request.GET_CONFIG, Payload.config(random.nextInt(16), random.nextInt(1, 64), 0, new byte[64]));
            case 9 -> send(Request.SET_CONFIG, Payload.config(random.nextInt(16), 4, random.nextInt(2), new byte[4]));
            case 10 ->
                send(
                        Request.ADD_MEM_REG,
                        Payload.region(
                                new Region(GuestLayout.MEMORY * random.nextInt(1, 4), 4096, GuestLayout.USER * 2, 0)),
                        Attachment.PAGE);
            default -> {
                byte[] payload = new byte[random.nextInt(5) * 8];
                random.nextBytes(payload);
                send(random.nextInt(LAST_REQUEST), payload);
            }
        }
    }

    /** Sends a message, in which a field, the size, the flags or the descriptors may be wrong. */
    private void send(int request, byte[] payload, Attachment... fds) {
        byte[] content = payload.clone();
        int flags = Connection.VERSION | (random.nextInt(4) == 0 ? Connection.NEED_REPLY : 0);
        int size = content.length;
        List<Attachment> attached = List.of(fds);
        switch (random.nextInt(40)) {
            case 0, 1, 2 -> bend(content);
            case 3 -> size = (int) EDGES[random.nextInt(EDGES.length)];
            case 4 -> {
                content = Arrays.copyOf(content, random.nextInt(content.length + 9));
                size = content.length;
            }
            case 5 -> flags = random.nextInt();
            case 6 -> attached = attachments();
            default -> {
                // The message remains correct.
            }
        }
        steps.add(new Step.Send(request, flags, size, content, attached));
    }

    private void bend(byte[] content) {
        if (content.length < Integer.BYTES) {
            return;
        }
        ByteBuffer fields = ByteBuffer.wrap(content).order(ByteOrder.nativeOrder());
        long edge = EDGES[random.nextInt(EDGES.length)];
        if (content.length >= Long.BYTES && random.nextBoolean()) {
            fields.putLong(random.nextInt(content.length / Long.BYTES) * Long.BYTES, edge);
        } else {
            fields.putInt(random.nextInt(content.length / Integer.BYTES) * Integer.BYTES, (int) edge);
        }
    }

    private List<Attachment> attachments() {
        List<Attachment> attached = new ArrayList<>();
        int count = random.nextInt(10);
        for (int i = 0; i < count; i++) {
            attached.add(Attachment.values()[random.nextInt(Attachment.values().length)]);
        }
        return attached;
    }
}
