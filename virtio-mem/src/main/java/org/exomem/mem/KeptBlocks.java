package org.exomem.mem;

import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;
import org.exomem.pages.BitStore;
import org.exomem.pages.CorruptBitsException;
import org.exomem.pages.StoredNumber;

/**
 * The part of a memory device that outlives the process, in memory that may be a mapped file (spec/state.md). Every change
 * is in that memory when the method that makes it returns. For one thread.
 *
 * <pre>
 *   0 requested   stored number   the requested size in blocks
 *   8 usable      stored number   the usable size in blocks
 *  16 known       stored number   set once the map covers every plugged block
 *  24 reserved    40 bytes
 *  64 last        last change
 * 128 plugged     bit store, one bit for each block
 * </pre>
 */
public final class KeptBlocks {
    private static final long REQUESTED = 0;
    private static final long USABLE = 8;
    private static final long KNOWN = 16;
    private static final long LAST = 64;
    private static final long PLUGGED = 128;

    private final MemoryRegionPlan plan;
    private final StoredNumber requested;
    private final StoredNumber usable;
    private final StoredNumber known;
    private final LastChange last;
    private final BlockMap map;
    private final boolean outlivesProcess;

    private KeptBlocks(
            MemoryRegionPlan plan,
            StoredNumber requested,
            StoredNumber usable,
            StoredNumber known,
            LastChange last,
            BlockMap map,
            boolean outlivesProcess) {
        this.plan = plan;
        this.requested = requested;
        this.usable = usable;
        this.known = known;
        this.last = last;
        this.map = map;
        this.outlivesProcess = outlivesProcess;
    }

    /** Keeps nothing beyond this process; all blocks are unplugged. */
    public static KeptBlocks ofHeap(MemoryRegionPlan plan) {
        return new KeptBlocks(
                plan,
                StoredNumber.ofHeap(),
                StoredNumber.ofHeap(),
                StoredNumber.ofHeap(),
                LastChange.ofHeap(),
                new BlockMap(plan.blocks()),
                false);
    }

    /** The bytes of memory for one device. */
    public static long bytes(MemoryRegionPlan plan) {
        return PLUGGED + BitStore.bytes(plan.blocks());
    }

    /** Initializes memory of zeros, {@link #bytes} bytes, for a new device. */
    public static void format(MemorySegment memory) {
        StoredNumber.format(memory, REQUESTED);
        StoredNumber.format(memory, USABLE);
        StoredNumber.format(memory, KNOWN);
        LastChange.format(memory.asSlice(LAST, LastChange.BYTES));
        BitStore.format(memory.asSlice(PLUGGED));
    }

    /**
     * Opens what the memory holds. Changes stay there for the next process.
     *
     * @param memory of {@link #bytes} bytes, aligned to 8
     * @throws CorruptBitsException if it is not as a process left it; nothing was changed
     */
    public static KeptBlocks open(MemorySegment memory, MemoryRegionPlan plan) throws CorruptBitsException {
        StoredNumber requested = StoredNumber.open(memory, REQUESTED, "the requested size");
        StoredNumber usable = StoredNumber.open(memory, USABLE, "the usable size");
        StoredNumber known = StoredNumber.open(memory, KNOWN, "whether the blocks are known");
        check("the requested size", requested, plan);
        check("the usable size", usable, plan);
        LastChange last = LastChange.open(memory.asSlice(LAST, LastChange.BYTES), plan.blocks());
        MemorySegment bits = memory.asSlice(PLUGGED, BitStore.bytes(plan.blocks()));
        BlockMap map = new BlockMap(BitStore.open(bits, plan.blocks()), plan.blocks());
        return new KeptBlocks(plan, requested, usable, known, last, map, true);
    }

    private static void check(String name, StoredNumber size, MemoryRegionPlan plan) throws CorruptBitsException {
        long blocks = Integer.toUnsignedLong(size.get());
        if (blocks > plan.blocks()) {
            throw new CorruptBitsException(name + " is " + blocks + " blocks, of " + plan.blocks());
        }
    }

    /** True if the next process finds what this one leaves. */
    boolean outlivesProcess() {
        return outlivesProcess;
    }

    MemoryRegionPlan plan() {
        return plan;
    }

    BlockMap map() {
        return map;
    }

    LastChange last() {
        return last;
    }

    /** The requested size in bytes, if one was ever kept. */
    public OptionalLong requestedSize() {
        return size(requested);
    }

    /** The usable size in bytes, if one was ever kept. */
    OptionalLong usableSize() {
        return size(usable);
    }

    private OptionalLong size(StoredNumber blocks) {
        return blocks.isSet()
                ? OptionalLong.of(Integer.toUnsignedLong(blocks.get()) * plan.blockSize())
                : OptionalLong.empty();
    }

    /**
     * True if the map covers every block that the guest has plugged. It does not if a driver was there before the device
     * knew of it: the process before kept no state, or another one.
     */
    boolean isKnown() {
        return known.isSet();
    }

    /** From now on the map covers every plugged block (STA-MEM-6). */
    void keepKnown() {
        known.set(1);
    }

    /** From now on a driver may have plugged blocks that the map does not cover. */
    void forgetKnown() {
        known.forget();
    }

    void keepRequestedSize(long bytes) {
        requested.set((int) (bytes / plan.blockSize()));
    }

    void keepUsableSize(long bytes) {
        usable.set((int) (bytes / plan.blockSize()));
    }
}
