package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.memory.GuestMemory;

/** Follows a chain of split descriptors (VIRTIO, "The Virtqueue Descriptor Table"). */
final class SplitChainReader {
    private final GuestMemory memory;
    private final int size;
    private final boolean indirect;
    private final Descriptor descriptor = new Descriptor();

    SplitChainReader(VirtqueueSetup setup) {
        memory = setup.memory();
        size = setup.size();
        indirect = setup.has(RingFeatures.INDIRECT_DESC);
    }

    /**
     * Fills {@code chain} from the descriptors that start at {@code head}.
     *
     * @throws DriverFault if the chain breaks a rule; the content of {@code chain} is not usable then
     */
    void read(DescriptorChain chain, MemorySegment table, int head) {
        int index = head;
        // A chain is no longer than the queue ("A driver MUST NOT create a descriptor chain longer than the Queue
        // Size"), so one that is longer has a loop (VQ-SPL-3).
        for (int count = 1; count <= size; count++) {
            descriptor.load(table, index);
            int flags = descriptor.splitFlags();
            if ((flags & Descriptor.INDIRECT) != 0) {
                // VQ-IND-2; direct descriptors may have come before (VQ-IND-4), and WRITE means nothing here (VQ-IND-3)
                if ((flags & Descriptor.NEXT) != 0) {
                    throw new DriverFault("descriptor " + index + " has both INDIRECT and NEXT set");
                }
                readTable(chain, count - 1);
                return;
            }
            chain.add(memory, descriptor.address(), descriptor.length(), (flags & Descriptor.WRITE) != 0);
            if ((flags & Descriptor.NEXT) == 0) {
                return;
            }
            int next = descriptor.splitNext();
            if (next >= size) {
                throw new DriverFault("descriptor " + index + " continues at " + next + ", but the queue has only "
                        + size + " descriptors");
            }
            index = next;
        }
        throw new DriverFault("the chain that starts at descriptor " + head + " is longer than the queue (" + size
                + " descriptors): it loops");
    }

    /** @param before the number of descriptors of the chain before the table */
    private void readTable(DescriptorChain chain, int before) {
        int entries = IndirectTable.entries(descriptor, indirect);
        long table = descriptor.address();
        int limit = Math.min(entries, size - before);
        int index = 0;
        for (int count = 1; count <= limit; count++) {
            descriptor.load(memory, IndirectTable.entryAddress(table, index));
            int flags = descriptor.splitFlags();
            if ((flags & Descriptor.INDIRECT) != 0) {
                throw new DriverFault("entry " + index + " of an indirect table refers to another indirect table");
            }
            chain.add(memory, descriptor.address(), descriptor.length(), (flags & Descriptor.WRITE) != 0);
            if ((flags & Descriptor.NEXT) == 0) {
                return;
            }
            int next = descriptor.splitNext();
            if (next >= entries) {
                throw new DriverFault("entry " + index + " of an indirect table continues at " + next
                        + ", but the table has only " + entries + " entries");
            }
            index = next;
        }
        throw new DriverFault("a chain with an indirect table of " + entries
                + " entries loops or is longer than the queue (" + size + " descriptors)");
    }
}
