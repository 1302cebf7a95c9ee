package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.RingArea;

/** Guest memory: regions that the test adds, and one far above them for rings and buffers. */
final class TestRam implements AutoCloseable {
    static final long OWN = 1L << 40;
    private static final long OWN_BYTES = 8 << 20;

    private final GuestMemory memory = new GuestMemory();
    private long allocated = OWN;

    TestRam() throws LinuxException {
        add(OWN, OWN_BYTES, 0, SharedFile.memfd("rings", OWN_BYTES));
    }

    GuestMemory memory() {
        return memory;
    }

    /** A region of a new memfd, filled so that all of it is allocated. */
    MemoryRegion filled(long address, long size) throws LinuxException {
        MemoryRegion region = add(address, size, 0, SharedFile.memfd("ram", size));
        region.segment().fill((byte) 0x5a);
        return region;
    }

    MemoryRegion add(long address, long size, long fileOffset, SharedFile file) throws LinuxException {
        MemoryRegion region = MemoryRegion.map(address, size, address, fileOffset, file);
        memory.add(region);
        return region;
    }

    long allocate(long bytes) {
        long address = allocated;
        allocated = address + bytes + 15 & -16;
        if (allocated > OWN + OWN_BYTES) {
            throw new IllegalStateException("the test uses more memory for buffers than it has");
        }
        return address;
    }

    MemorySegment at(long address, long bytes) {
        MemoryRegion region = memory.find(address);
        if (region == null) {
            throw new IllegalArgumentException("no memory at 0x" + Long.toHexString(address));
        }
        return region.segment().asSlice(address - region.guestAddress(), bytes);
    }

    RingArea area(long address, long bytes) {
        return new RingArea(address, at(address, bytes));
    }

    @Override
    public void close() {
        memory.close();
    }
}
