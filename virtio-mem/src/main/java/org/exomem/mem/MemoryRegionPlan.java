package org.exomem.mem;

import java.util.OptionalInt;
import org.exomem.pages.ByteText;

/**
 * The properties of a memory device that never change (MEM-CFG-2; VIRTIO: block_size, node_id, addr, region_size); sizes in
 * bytes.
 *
 * @param address guest-physical address of the region, a multiple of the block size
 * @param size of the region, a multiple of the block size
 * @param blockSize a power of two, at least 1 MiB
 * @param node the guest's NUMA node (ACPI proximity domain), 0 to 65535, if it has one
 */
public record MemoryRegionPlan(long address, long size, long blockSize, OptionalInt node) {
    /** The smallest block, in bytes. */
    public static final long MIN_BLOCK_SIZE = 1 << 20;
    /** Guest-physical addresses end here. */
    private static final long ADDRESS_LIMIT = 1L << 48;
    /** How much more than the requested size is usable, so that the driver has a choice; as QEMU does on x86-64. */
    private static final long USABLE_SLACK = 256L << 20;

    /**
     * Checks MEM-CFG-1 and MEM-CFG-8, as far as possible without the memory.
     *
     * @throws IllegalArgumentException naming the invalid value
     */
    public MemoryRegionPlan {
        if (Long.bitCount(blockSize) != 1 || blockSize < MIN_BLOCK_SIZE) {
            throw new IllegalArgumentException("block size " + ByteText.exactly(blockSize)
                    + " is not a power of two of at least " + ByteText.of(MIN_BLOCK_SIZE));
        }
        if (size < blockSize || size % blockSize != 0) {
            throw new IllegalArgumentException("region size " + ByteText.exactly(size)
                    + " is not a multiple of the block size, " + ByteText.of(blockSize));
        }
        if (address < 0 || address % blockSize != 0) {
            throw new IllegalArgumentException(String.format(
                    "address %#x is not a multiple of the block size, %s", address, ByteText.of(blockSize)));
        }
        if (address > ADDRESS_LIMIT - size) {
            throw new IllegalArgumentException(String.format(
                    "a region of %s at address %#x ends above 2^48, the limit of guest memory",
                    ByteText.of(size), address));
        }
        if (node.isPresent() && (node.getAsInt() < 0 || node.getAsInt() > 0xffff)) {
            throw new IllegalArgumentException("node " + node.getAsInt() + " is not within 0 to 65535");
        }
    }

    /** The number of blocks in the region. */
    public long blocks() {
        return size / blockSize;
    }

    /**
     * The usable part of the region for a requested size, in bytes: somewhat more than requested, and 0 for 0 (MEM-CFG-7).
     */
    long usableSize(long requested) {
        if (requested == 0) {
            return 0;
        }
        long slack = Math.max(USABLE_SLACK, blockSize);
        return requested > size - slack ? size : roundUp(requested + slack);
    }

    private long roundUp(long bytes) {
        return Math.min(size, (bytes + blockSize - 1) & -blockSize);
    }

    /**
     * Refuses a size that cannot be requested.
     *
     * @throws IllegalArgumentException with the reason
     */
    public void checkRequested(long requested) {
        if (requested < 0 || requested > size) {
            throw new IllegalArgumentException(ByteText.exactly(requested) + " is not from 0 to "
                    + ByteText.exactly(size) + ", the size of the device's region");
        }
        if (requested % blockSize != 0) {
            throw new IllegalArgumentException(
                    ByteText.exactly(requested) + " is not a multiple of the block size, " + ByteText.of(blockSize));
        }
    }
}
