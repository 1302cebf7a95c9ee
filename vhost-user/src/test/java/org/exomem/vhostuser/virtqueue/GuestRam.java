package org.exomem.vhostuser.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/** Guest memory of several memfds at contiguous guest addresses, as the driver of a test sees it. */
final class GuestRam implements AutoCloseable {
    static final long START = 0x10_0000;

    private final GuestMemory memory = new GuestMemory();
    private final List<MemoryRegion> regions = new ArrayList<>();
    private long allocated = START;

    /** Regions without gaps between them, of the given sizes in bytes. */
    static GuestRam of(long... sizes) {
        GuestRam ram = new GuestRam();
        try {
            long address = START;
            for (long size : sizes) {
                SharedFile file = SharedFile.memfd("ring-test", size);
                MemoryRegion region = MemoryRegion.map(address, size, address, 0, file);
                ram.regions.add(region);
                ram.memory.add(region);
                address += size;
            }
            return ram;
        } catch (LinuxException e) {
            ram.close();
            throw new IllegalStateException(e);
        }
    }

    GuestMemory memory() {
        return memory;
    }

    /** The first address behind region {@code i}. */
    long border(int i) {
        return regions.get(i).guestAddress() + regions.get(i).size();
    }

    /** Allocates zeroed memory from the first region. */
    long allocate(long bytes, long alignment) {
        long address = (allocated + alignment - 1) & -alignment;
        allocated = address + bytes;
        if (allocated > border(0)) {
            throw new IllegalStateException("the test's first region is too small");
        }
        return address;
    }

    /** Frees all allocations, and clears the first region. */
    void reset() {
        regions.getFirst().segment().fill((byte) 0);
        allocated = START;
    }

    /** A range in one region. */
    MemorySegment at(long address, long bytes) {
        MemoryRegion region = regionOf(address);
        return region.segment().asSlice(address - region.guestAddress(), bytes);
    }

    RingArea area(long address, long bytes) {
        return new RingArea(address, at(address, bytes));
    }

    byte get(long address) {
        MemoryRegion region = regionOf(address);
        return region.segment().get(JAVA_BYTE, address - region.guestAddress());
    }

    void set(long address, int value) {
        MemoryRegion region = regionOf(address);
        region.segment().set(JAVA_BYTE, address - region.guestAddress(), (byte) value);
    }

    /** Writes a little-endian number at any address. */
    void setNumber(long address, int bytes, long value) {
        for (int i = 0; i < bytes; i++) {
            set(address + i, (int) (value >>> 8 * i));
        }
    }

    private MemoryRegion regionOf(long address) {
        for (MemoryRegion region : regions) {
            if (region.contains(address)) {
                return region;
            }
        }
        throw new IllegalArgumentException("no memory at " + Long.toHexString(address));
    }

    @Override
    public void close() {
        memory.close();
    }
}
