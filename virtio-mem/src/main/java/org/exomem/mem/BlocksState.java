package org.exomem.mem;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.exomem.vhostuser.backend.DeviceState;
import org.exomem.vhostuser.backend.DeviceStateException;

/**
 * A memory device's state on its way to another host (spec/state.md): the properties that must be the same there, and which
 * blocks are plugged. Numbers are little-endian; sizes and addresses are in bytes.
 *
 * <pre>
 *  0 address      u64
 *  8 size         u64
 * 16 block size   u64
 * 24 node         s64   -1 if it has none
 * 32 requested    u64
 * 40 usable       u64
 * 48 plugged      u64   number of blocks
 * 56 known        u64   1 if the map tells of every plugged block, else 0
 * 64 map          one bit for each block, in words of 64; bits behind the last block are 0
 * </pre>
 */
final class BlocksState implements DeviceState {
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** 32 TiB in blocks of 1 MiB. */
    private static final long LARGE_STATE = 4 << 20;

    private static final long ADDRESS = 0;
    private static final long SIZE = 8;
    private static final long BLOCK_SIZE = 16;
    private static final long NODE = 24;
    private static final long REQUESTED = 32;
    private static final long USABLE = 40;
    private static final long PLUGGED = 48;
    private static final long KNOWN = 56;
    private static final long MAP = 64;

    private final VirtioMem device;
    private final KeptBlocks kept;

    BlocksState(VirtioMem device, KeptBlocks kept) {
        this.device = device;
        this.kept = kept;
    }

    /** Also enough for a device with far more blocks, so that it is refused for its blocks and not for its length. */
    @Override
    public long maxBytes() {
        return Math.max(LARGE_STATE, bytes());
    }

    private long bytes() {
        return MAP + kept.map().words() * Long.BYTES;
    }

    @Override
    public MemorySegment save() {
        MemoryRegionPlan plan = kept.plan();
        BlockMap map = kept.map();
        MemorySegment state = Arena.ofAuto().allocate(bytes(), 8);
        state.set(LE_LONG, ADDRESS, plan.address());
        state.set(LE_LONG, SIZE, plan.size());
        state.set(LE_LONG, BLOCK_SIZE, plan.blockSize());
        state.set(LE_LONG, NODE, plan.node().orElse(-1));
        state.set(LE_LONG, REQUESTED, device.requestedSize());
        state.set(LE_LONG, USABLE, device.usableSize());
        state.set(LE_LONG, PLUGGED, map.plugged());
        state.set(LE_LONG, KNOWN, kept.isKnown() ? 1 : 0);
        for (long word = 0; word < map.words(); word++) {
            state.set(LE_LONG, MAP + word * Long.BYTES, map.word(word));
        }
        return state;
    }

    @Override
    public void load(MemorySegment state) throws DeviceStateException {
        MemoryRegionPlan plan = kept.plan();
        if (state.byteSize() < MAP) {
            throw new DeviceStateException("a memory device's state of " + state.byteSize() + " bytes is too short");
        }
        DeviceStateException.requireSame("address", hex(plan.address()), hex(state.get(LE_LONG, ADDRESS)));
        DeviceStateException.requireSame("size", plan.size(), state.get(LE_LONG, SIZE));
        DeviceStateException.requireSame("block size", plan.blockSize(), state.get(LE_LONG, BLOCK_SIZE));
        DeviceStateException.requireSame("node", (long) plan.node().orElse(-1), state.get(LE_LONG, NODE));
        if (state.byteSize() != bytes()) {
            throw new DeviceStateException(
                    "a state of " + plan.blocks() + " blocks has " + bytes() + " bytes, not " + state.byteSize());
        }
        long requested = state.get(LE_LONG, REQUESTED);
        long usable = state.get(LE_LONG, USABLE);
        checkSize("requested size", requested);
        checkSize("usable size", usable);
        long known = state.get(LE_LONG, KNOWN);
        if (known != 0 && known != 1) {
            throw new DeviceStateException(
                    "the flag whether its blocks are known is " + Long.toUnsignedString(known) + ", neither 0 nor 1");
        }
        long plugged = 0;
        long last = -1;
        for (long word = 0; word < kept.map().words(); word++) {
            long bits = state.get(LE_LONG, MAP + word * Long.BYTES);
            plugged += Long.bitCount(bits);
            last = bits == 0 ? last : (word + 1) * Long.SIZE - 1 - Long.numberOfLeadingZeros(bits);
        }
        if (plugged != state.get(LE_LONG, PLUGGED)
                || usable < plan.usableSize(requested)
                || (last + 1) * plan.blockSize() > usable) {
            throw new DeviceStateException("its numbers are inconsistent: " + plugged + " blocks of "
                    + state.get(LE_LONG, PLUGGED) + " are plugged, up to block " + last + ", of " + usable
                    + " usable bytes, with " + requested + " requested");
        }
        device.moveHere(requested, usable, known == 1, word -> state.get(LE_LONG, MAP + word * Long.BYTES));
    }

    private void checkSize(String name, long bytes) throws DeviceStateException {
        if (bytes < 0 || bytes > kept.plan().size() || bytes % kept.plan().blockSize() != 0) {
            throw new DeviceStateException("its " + name + " is " + Long.toUnsignedString(bytes)
                    + " bytes; the device has blocks of " + kept.plan().blockSize() + " in a region of "
                    + kept.plan().size());
        }
    }

    private static String hex(long address) {
        return "0x" + Long.toHexString(address);
    }
}
