package org.exomem.vhostuser.virtqueue;

/**
 * The common checks of both ring formats for a table of indirect descriptors (VIRTIO, "Indirect Descriptors" of each format;
 * VQ-IND-1).
 */
final class IndirectTable {
    private IndirectTable() {}

    /**
     * Checks a descriptor that refers to a table.
     *
     * @return the number of entries, 1 to 32768
     */
    static int entries(Descriptor descriptor, boolean negotiated) {
        if (!negotiated) {
            throw new DriverFault("a descriptor refers to an indirect table, but INDIRECT_DESC was not negotiated");
        }
        long length = descriptor.length();
        if (length == 0 || length % RingLayout.DESCRIPTOR_BYTES != 0) {
            throw new DriverFault("an indirect table has " + length + " bytes, which is not a positive multiple of "
                    + RingLayout.DESCRIPTOR_BYTES);
        }
        long entries = length / RingLayout.DESCRIPTOR_BYTES;
        if (entries > RingLayout.MAX_SIZE) {
            throw new DriverFault(
                    "an indirect table has " + entries + " entries; the largest queue has " + RingLayout.MAX_SIZE);
        }
        if (Long.compareUnsigned(descriptor.address() + length - 1, descriptor.address()) < 0) {
            throw new DriverFault("an indirect table of " + length + " bytes at 0x"
                    + Long.toHexString(descriptor.address()) + " wraps around the end of the address space");
        }
        return (int) entries;
    }

    static long entryAddress(long table, int index) {
        return table + (long) index * RingLayout.DESCRIPTOR_BYTES;
    }
}
