package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/** Follows a chain of packed descriptors (VIRTIO, "Next Flag: Descriptor Chaining"; VQ-PCK-7). */
final class PackedChainReader {
    private final GuestMemory memory;
    private final int size;
    private final boolean indirect;
    private final Descriptor descriptor = new Descriptor();
    /** Separate from {@link #descriptor}, whose buffer id is needed afterwards. */
    private final Descriptor entry = new Descriptor();

    PackedChainReader(VirtqueueSetup setup) {
        memory = setup.memory();
        size = setup.size();
        indirect = setup.has(RingFeatures.INDIRECT_DESC);
    }

    /**
     * Fills {@code chain} from the ring and counts its slots.
     *
     * @param first the slot where it starts
     * @param firstFlags that slot's flags, as they were read to see that it is available
     * @param wrap the lap of the first slot
     * @param room the number of slots that the device does not have already, at least 1
     * @param inflight records descriptors as they are read
     * @return the buffer id, below the queue's size
     * @throws DriverFault if the chain breaks a rule; the content of {@code chain} is not usable then
     */
    int read(
            DescriptorChain chain,
            MemorySegment ring,
            int first,
            int firstFlags,
            boolean wrap,
            int room,
            @Nullable PackedInflight inflight) {
        int slot = first;
        boolean lap = wrap;
        for (int slots = 1; slots <= room; slots++) {
            descriptor.load(ring, slot);
            // The first descriptor's flags were read before, with acquire; a second read could give others.
            int flags = slots == 1 ? firstFlags : descriptor.packedFlags();
            if (slots > 1 && !PackedRing.isAvailable(flags, lap)) {
                throw new DriverFault("the chain that starts at slot " + first + " continues at slot " + slot
                        + ", which is not available");
            }
            boolean last = (flags & Descriptor.NEXT) == 0;
            if (inflight != null) {
                inflight.popping(descriptor, flags, last);
            }
            readBuffers(chain, flags, slot, slots == 1);
            if (last) {
                chain.slots = slots;
                return checkedId();
            }
            slot++;
            if (slot == size) {
                slot = 0;
                lap = !lap;
            }
        }
        throw new DriverFault("the chain that starts at slot " + first + " is longer than the " + room
                + " slots that the ring of " + size + " has left");
    }

    /** Fills {@code chain} from descriptors in in-flight memory, whose NEXT flags were checked. */
    int readKept(DescriptorChain chain, MemorySegment descriptors, int count) {
        for (int i = 0; i < count; i++) {
            descriptor.load(descriptors, i);
            readBuffers(chain, descriptor.packedFlags(), i, i == 0);
        }
        chain.slots = count;
        return checkedId();
    }

    private int checkedId() {
        // "Buffer ID is included in the last descriptor in the list." (VQ-PCK-5)
        int id = descriptor.packedId();
        if (id >= size) {
            throw new DriverFault("a chain has buffer id " + id + ", but the queue has only " + size + " descriptors");
        }
        return id;
    }

    private void readBuffers(DescriptorChain chain, int flags, int slot, boolean first) {
        if ((flags & Descriptor.INDIRECT) == 0) {
            chain.add(memory, descriptor.address(), descriptor.length(), (flags & Descriptor.WRITE) != 0);
        } else if (!first || (flags & Descriptor.NEXT) != 0) {
            // VQ-IND-2
            throw new DriverFault("slot " + slot + " refers to an indirect table from within a chain linked by NEXT");
        } else {
            readTable(chain);
        }
    }

    private void readTable(DescriptorChain chain) {
        int entries = IndirectTable.entries(descriptor, indirect);
        if (entries > size) {
            throw new DriverFault(
                    "an indirect table has " + entries + " entries, more than the queue's " + size + " descriptors");
        }
        long table = descriptor.address();
        for (int i = 0; i < entries; i++) {
            entry.load(memory, IndirectTable.entryAddress(table, i));
            // WRITE is the only flag that counts here, the device ignores the others (VQ-IND-5).
            chain.add(memory, entry.address(), entry.length(), (entry.packedFlags() & Descriptor.WRITE) != 0);
        }
    }
}
