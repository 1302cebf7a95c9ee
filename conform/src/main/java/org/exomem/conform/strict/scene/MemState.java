package org.exomem.conform.strict.scene;

import java.util.BitSet;

/** The blocks of a memory device, and the size that it wants. All sizes and addresses are bytes. For one thread. */
public final class MemState {
    private final long address;
    private final long size;
    private final long block;
    private final BitSet plugged = new BitSet();
    private long requested;
    private long requestedSince;

    public MemState(long address, long size, long block) {
        this.address = address;
        this.size = size;
        this.block = block;
    }

    public long address() {
        return address;
    }

    public long size() {
        return size;
    }

    public long block() {
        return block;
    }

    /** The plugged blocks, by the number of the block. */
    public BitSet plugged() {
        return plugged;
    }

    public long pluggedSize() {
        return plugged.cardinality() * block;
    }

    public long requested() {
        return requested;
    }

    /** When requested_size was set, as nanoTime. */
    public long requestedSince() {
        return requestedSince;
    }

    public void setRequested(long bytes, long now) {
        requested = bytes;
        requestedSince = now;
    }

    /** True if the range consists of whole blocks of the region. */
    public boolean isRange(long from, long blocks) {
        long at = from - address;
        return blocks > 0 && at >= 0 && at % block == 0 && blocks <= (size - at) / block;
    }

    /** The number of the block at an address of the region. */
    public int number(long at) {
        return (int) ((at - address) / block);
    }
}
