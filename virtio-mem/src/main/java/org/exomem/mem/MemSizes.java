package org.exomem.mem;

/**
 * The sizes that a device shows its driver, beside that of its region. In bytes, kept for the next process. For one thread.
 */
final class MemSizes {
    private final KeptBlocks kept;
    private final MemoryRegionPlan plan;
    private long requested;
    private long usable;

    /** @param initial the requested size if none was kept */
    MemSizes(KeptBlocks kept, long initial) {
        this.kept = kept;
        this.plan = kept.plan();
        // STA-MEM-4
        requested = kept.requestedSize().orElse(initial);
        usable = Math.max(
                Math.max(plan.usableSize(requested), highestPluggedEnd()),
                // STA-MEM-5
                kept.usableSize().orElse(0));
        keep();
    }

    private long highestPluggedEnd() {
        long[] end = new long[1];
        BlockMap blocks = kept.map();
        blocks.forEachRun(true, blocks.blocks(), (first, count) -> end[0] = (first + count) * plan.blockSize());
        return end[0];
    }

    /** The size that the driver is asked to reach. */
    long requested() {
        return requested;
    }

    /** The part of the region, from its start, in which blocks can be plugged. */
    long usable() {
        return usable;
    }

    /** The size of all plugged blocks. */
    long plugged() {
        return kept.map().plugged() * plan.blockSize();
    }

    void request(long size) {
        requested = size;
        // MEM-CFG-4: "The device MUST NOT shrink usable_region_size, except when processing an UNPLUG ALL request".
        usable = Math.max(usable, plan.usableSize(size));
        keep();
    }

    /** No block is plugged. Only now may the usable size decrease (MEM-RESP-3). */
    void nothingIsPlugged() {
        usable = plan.usableSize(requested);
        keep();
    }

    /** Takes over the sizes of the device on another host. */
    void become(long otherRequested, long otherUsable) {
        requested = otherRequested;
        usable = otherUsable;
        keep();
    }

    /** The usable size comes first: it may be larger than the requested size needs, never smaller. */
    private void keep() {
        kept.keepUsableSize(usable);
        kept.keepRequestedSize(requested);
    }
}
