package org.exomem.conform.strict.serve;

import static org.exomem.conform.strict.memory.GuestMemory.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Descriptor;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.MemRequest;
import org.exomem.conform.strict.scene.MemState;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.linux.LinuxException;

/**
 * A memory device. Fields that the driver must ignore contain a pattern.
 *
 * <pre>
 * config space                    response
 *  0 le64 block_size               0 le16 type
 *  8 le16 node_id                  2 le16 padding[3]
 * 10      padding[6]               8 le16 state
 * 16 le64 addr
 * 24 le64 region_size
 * 32 le64 usable_region_size
 * 40 le64 plugged_size
 * 48 le64 requested_size
 * </pre>
 */
final class ServedMem implements ServedDevice {
    private static final int CONFIG_SIZE = 56;
    private static final int RESPONSE_SIZE = 10;
    private static final int JUNK = 0xa5;
    private static final int ACK = 0;
    private static final int NACK = 1;
    private static final int ERROR = 3;
    private static final int PLUGGED = 0;
    private static final int UNPLUGGED = 1;
    private static final int MIXED = 2;
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final Duration SHORT = Duration.ofMillis(2);

    private final Runnable configChanged;
    private final List<Stage> stages;

    /** @param configChanged runs when the driver should read the config space again */
    ServedMem(MemState mem, Runnable configChanged) {
        this.configChanged = configChanged;
        long all = mem.size() / mem.block();
        this.stages = List.of(
                resize(mem, Math.min(all, 16)),
                resize(mem, Math.min(all, 4)),
                resize(mem, 0),
                resize(mem, Math.min(all, 8)),
                resize(mem, 0));
    }

    private Stage resize(MemState mem, long blocks) {
        return new Stage(
                "plugs or unplugs until " + blocks + " blocks are plugged",
                scene -> {
                    scene.mem().setRequested(blocks * mem.block(), System.nanoTime());
                    configChanged.run();
                },
                scene -> scene.mem().pluggedSize() == blocks * mem.block(),
                LIMIT);
    }

    @Override
    public byte[] config(Scene scene) {
        MemState mem = scene.mem();
        ByteBuffer config = ByteBuffer.allocate(CONFIG_SIZE).order(ByteOrder.LITTLE_ENDIAN);
        config.putLong(mem.block()).putShort((short) 0);
        while (config.position() < 16) {
            config.put((byte) JUNK);
        }
        return config.putLong(mem.address())
                .putLong(mem.size())
                .putLong(mem.size())
                .putLong(mem.pluggedSize())
                .putLong(mem.requested())
                .array();
    }

    @Override
    public void written(Scene scene, int offset, byte[] data) {
        // The driver may write no part of it.
    }

    @Override
    public void taken(Scene scene, Ring ring, Chain chain) {
        // A request is examined only when it is served.
    }

    @Override
    public Duration kept(Scene scene, Ring ring, Chain chain) {
        return SHORT;
    }

    @Override
    public long serve(Scene scene, Ring ring, Chain chain) {
        MemRequest request = MemRequest.of(chain, scene.memory());
        int state = JUNK;
        int type = ERROR;
        MemState mem = scene.mem();
        if (request.type() == MemRequest.UNPLUG_ALL) {
            discard(scene, mem.address(), mem.size());
            mem.plugged().clear();
            type = ACK;
        } else if (mem.isRange(request.address(), request.blocks())) {
            int first = mem.number(request.address());
            int end = first + request.blocks();
            int there = mem.plugged().get(first, end).cardinality();
            switch (request.type()) {
                case MemRequest.PLUG -> {
                    if (there == 0) {
                        type = mem.pluggedSize() + request.blocks() * mem.block() > mem.requested() ? NACK : ACK;
                    }
                    if (type == ACK) {
                        mem.plugged().set(first, end);
                    }
                }
                case MemRequest.UNPLUG -> {
                    if (there == request.blocks()) {
                        type = ACK;
                        mem.plugged().clear(first, end);
                        discard(scene, request.address(), request.blocks() * mem.block());
                    }
                }
                case MemRequest.STATE -> {
                    type = ACK;
                    state = there == 0 ? UNPLUGGED : there == request.blocks() ? PLUGGED : MIXED;
                }
                default -> {
                    // There is no such request.
                }
            }
        }
        return respond(scene, chain, type, state);
    }

    private static void discard(Scene scene, long address, long length) {
        try {
            scene.memory().discard(address, length);
        } catch (LinuxException e) {
            // The memory keeps its content; the driver must not rely on that.
        }
    }

    private static long respond(Scene scene, Chain chain, int type, int state) {
        for (Descriptor buffer : chain.writable()) {
            MemorySegment bytes = scene.memory().guest(buffer.address(), buffer.length());
            if (bytes != null && bytes.byteSize() >= RESPONSE_SIZE) {
                bytes.asSlice(0, RESPONSE_SIZE).fill((byte) JUNK);
                bytes.set(LE_SHORT, 0, (short) type);
                bytes.set(LE_SHORT, 8, (short) state);
                return RESPONSE_SIZE;
            }
        }
        return 0;
    }

    @Override
    public void driverStarted(Scene scene) {
        // Blocks stay plugged (VIRTIO, 5.15.5).
    }

    @Override
    public List<Stage> stages() {
        return stages;
    }
}
