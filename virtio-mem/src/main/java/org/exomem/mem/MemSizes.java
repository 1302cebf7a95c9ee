package org.exomem.mem;

/** The sizes that a device tells its driver, beside that of its region; bytes, kept for the next process. */
final class MemSizes {
    private final KeptBlocks kept;
    private final MemoryRegionPlan plan;
    private long requested;
    private long usable;

    /** @param initial what is requested if nothing was before */
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

    /** What the driver is asked to come to. */
    long requested() {
        return requested;
    }

    /** The part of the region in which blocks can be plugged, from its start on. */
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

    /** No block is plugged: only now may the usable size become smaller (MEM-RESP-3). */
    void nothingIsPlugged() {
        usable = plan.usableSize(requested);
        keep();
    }

    /** Takes over what a device at another place had. */
    void become(long otherRequested, long otherUsable) {
        requested = otherRequested;
        usable = otherUsable;
        keep();
    }

    /** The usable size first: it may always be larger than what the requested size needs, never smaller. */
    private void keep() {
        kept.keepUsableSize(usable);
        kept.keepRequestedSize(requested);
    }
}
