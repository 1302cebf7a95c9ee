package org.exomem.backend.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.backend.state.DevicesProcess.MIB;
import static org.exomem.backend.state.DevicesProcess.PLAN;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;

/**
 * A driver of a memory device that plugs and unplugs random blocks, with many requests at once. It knows the right
 * answer to each: a device that was killed and restarted must answer like one that never was.
 */
final class GuestBlocks extends GuestDevice {
    private static final int BLOCKS = (int) PLAN.blocks();
    private static final long BLOCK = PLAN.blockSize();
    private static final int AT_ONCE = 24;
    private static final int PLUG = 0;
    private static final int UNPLUG = 1;
    private static final int UNPLUG_ALL = 2;
    private static final int STATE = 3;
    private static final int ACK = 0;
    private static final int NACK = 1;
    private static final int ERROR = 3;
    private static final long SLACK = 256 * MIB;

    private final int vm;
    private final Random random;
    private final long slots;
    private int nextSlot;
    /** The plugged blocks, from the device's answers. */
    private final BitSet plugged = new BitSet(BLOCKS);
    /**
     * Blocks that the guest has written. It writes while nothing is outstanding, so that no request can overtake a
     * write.
     */
    private final BitSet written = new BitSet(BLOCKS);

    private long requested = PLAN.size() / 2;
    private long usable = usable(requested);
    long answers;

    GuestBlocks(GuestRam ram, Path sockets, int vm, long features, boolean tracked, Random random) throws IOException {
        super(ram, DevicesProcess.memorySocket(sockets, vm), 1, features | 0b110, tracked);
        this.vm = vm;
        this.random = random;
        this.slots = ram.allocate(AT_ONCE * 64L, 64);
    }

    private static long usable(long requested) {
        return requested == 0 ? 0 : Math.min(PLAN.size(), requested + SLACK);
    }

    @Override
    void step() throws IOException {
        while (outstanding(0) < AT_ONCE && random.nextInt(8) != 0) {
            int kind = random.nextInt(200);
            int type = kind == 0 ? UNPLUG_ALL : kind < 100 ? PLUG : kind < 190 ? UNPLUG : STATE;
            send(type, random.nextInt(BLOCKS), 1 + random.nextInt(6));
        }
        kick(0);
        poll(0);
    }

    private void send(int type, int first, int count) {
        long request = slots + nextSlot * 64L;
        nextSlot = (nextSlot + 1) % AT_ONCE;
        long response = request + 32;
        long address = PLAN.address() + first * BLOCK;
        ram.fill(request, 64, (byte) 0xa5);
        ram.putShort(request, type);
        ram.putLong(request + 8, address);
        ram.putShort(request + 16, count);
        submit(0, List.of(Buffer.readable(request, 24), Buffer.writable(response, 10)), used -> {
            ByteBuffer bytes = ram.bytes(response, 10).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            assertThat(used.written()).isEqualTo(10);
            String expected = expect(type, first, count);
            String found = bytes.getShort(0) + " " + bytes.getShort(8);
            assertThat(found)
                    .as("VM %d: type %d of %d blocks from %d on, %s plugged", vm, type, count, first, plugged)
                    .isEqualTo(expected);
            answers++;
        });
    }

    /** The right answer, after all answers before it. The guest then acts on the answer. */
    private String expect(int type, int first, int count) {
        if (type == UNPLUG_ALL) {
            plugged.clear();
            written.clear();
            usable = usable(requested);
            return ACK + " 0";
        }
        if (first + count > usable / BLOCK) {
            return ERROR + " 0";
        }
        int set = plugged.get(first, first + count).cardinality();
        int state = set == count ? 0 : set == 0 ? 1 : 2;
        if (type == STATE) {
            return ACK + " " + state;
        }
        if (state != (type == PLUG ? 1 : 0)) {
            return ERROR + " 0";
        }
        if (type == PLUG && (plugged.cardinality() + count) * BLOCK > requested) {
            return NACK + " 0";
        }
        plugged.set(first, first + count, type == PLUG);
        written.clear(first, first + count);
        for (int block = first; block < first + count; block++) {
            assertThat(content(block))
                    .as("VM %d: block %d, now unplugged or just plugged", vm, block)
                    .isZero();
        }
        return ACK + " 0";
    }

    private int content(int block) {
        return ram.getInt(PLAN.address() + block * BLOCK);
    }

    @Override
    void check(DevicesProcess process) throws IOException {
        drain(0);
        for (int block = 0; block < BLOCKS; block++) {
            assertThat(content(block))
                    .as("VM %d: content of block %d", vm, block)
                    .isEqualTo(written.get(block) ? block + 1 : 0);
        }
        plugged.stream().forEach(block -> ram.putInt(PLAN.address() + block * BLOCK, block + 1));
        written.or(plugged);
        checkConfig();
        for (int block = 0; block < BLOCKS; block++) {
            if (outstanding(0) == AT_ONCE) {
                drain(0);
            }
            send(STATE, block, 1);
        }
        drain(0);
        if (random.nextInt(3) == 0) {
            long wish = random.nextInt(BLOCKS + 1) * BLOCK;
            process.request(vm, wish);
            requested = wish;
            usable = Math.max(usable, usable(wish));
            checkConfig();
        }
    }

    private void checkConfig() throws IOException {
        ByteBuffer config = ByteBuffer.wrap(frontEnd().getConfig(0, 56)).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(config.getLong(32)).as("VM %d: usable size", vm).isEqualTo(usable);
        assertThat(config.getLong(40)).as("VM %d: plugged size", vm).isEqualTo(plugged.cardinality() * BLOCK);
        assertThat(config.getLong(48)).as("VM %d: requested size", vm).isEqualTo(requested);
    }
}
