package org.exomem.fuzz;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.RingArea;
import org.jspecify.annotations.Nullable;

/**
 * Guest memory as a device sees it, and a copy that only the harness's driver writes. Where the two differ, the device
 * has written. Mapped once, and cleared for each input.
 */
final class FuzzedMemory {
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** The address and size of a region; the size is bytes. */
    record Place(long address, int size) {
        long end() {
            return address + size;
        }

        boolean holds(long at) {
            return at >= address && at < end();
        }
    }

    private final List<Place> places;
    private final List<MemoryRegion> regions = new ArrayList<>();
    private final List<MemorySegment> expected = new ArrayList<>();
    private final GuestMemory memory = new GuestMemory();

    FuzzedMemory(Place... places) {
        this.places = List.of(places);
        try {
            for (Place place : places) {
                SharedFile file = SharedFile.memfd("fuzz", place.size);
                MemoryRegion region = MemoryRegion.map(place.address, place.size, place.address, 0, file);
                regions.add(region);
                memory.add(region);
                expected.add(MemorySegment.ofArray(new byte[place.size]));
            }
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    GuestMemory guest() {
        return memory;
    }

    List<Place> places() {
        return places;
    }

    /** Fills all memory with zeros. */
    void clear() {
        regions.forEach(region -> region.segment().fill((byte) 0));
        expected.forEach(bytes -> bytes.fill((byte) 0));
    }

    /** The region of an address, or -1. */
    private int index(long address) {
        for (int i = 0; i < places.size(); i++) {
            if (places.get(i).holds(address)) {
                return i;
            }
        }
        return -1;
    }

    /** The region that contains an address, or null. */
    @Nullable
    Place placeOf(long address) {
        int index = index(address);
        return index < 0 ? null : places.get(index);
    }

    /** A part of a ring, in one region. */
    RingArea area(long address, long bytes) {
        int i = index(address);
        return new RingArea(address, regions.get(i).segment().asSlice(address - places.get(i).address, bytes));
    }

    /** Writes a byte as the driver. Does nothing outside of memory. */
    void write8(long address, int value) {
        int i = index(address);
        if (i >= 0) {
            long at = address - places.get(i).address;
            regions.get(i).segment().set(JAVA_BYTE, at, (byte) value);
            expected.get(i).set(JAVA_BYTE, at, (byte) value);
        }
    }

    void write16(long address, int value) {
        write8(address, value);
        write8(address + 1, value >>> 8);
    }

    void write32(long address, int value) {
        write16(address, value);
        write16(address + 2, value >>> 16);
    }

    void write64(long address, long value) {
        write32(address, (int) value);
        write32(address + 4, (int) (value >>> 32));
    }

    void write(long address, byte[] bytes) {
        for (int i = 0; i < bytes.length; i++) {
            write8(address + i, bytes[i]);
        }
    }

    /** The expected value of a byte of memory. */
    int expected8(long address) {
        int i = index(address);
        return expected.get(i).get(JAVA_BYTE, address - places.get(i).address) & 0xff;
    }

    /** The expected value of a number in one region. */
    int expected16(long address) {
        int i = index(address);
        return expected.get(i).get(U16, address - places.get(i).address) & 0xffff;
    }

    /** The expected value of a number, with 0 for bytes that are not in memory. */
    long expected64(long address) {
        int i = index(address);
        if (i >= 0 && address + 8 <= places.get(i).end()) {
            return expected.get(i).get(U64, address - places.get(i).address);
        }
        long value = 0;
        for (int b = 0; b < 8; b++) {
            value |= index(address + b) < 0 ? 0 : (long) expected8(address + b) << (8 * b);
        }
        return value;
    }

    /** True if all bytes of a range are in memory. */
    boolean holds(long address, long length) {
        long at = address;
        long left = length;
        while (left > 0) {
            Place place = placeOf(at);
            if (place == null) {
                return false;
            }
            long part = Math.min(left, place.end() - at);
            at += part;
            left -= part;
        }
        return true;
    }

    /** Expects this write of the device. */
    void expect8(long address, int value) {
        int i = index(address);
        expected.get(i).set(JAVA_BYTE, address - places.get(i).address, (byte) value);
    }

    void expect16(long address, int value) {
        int i = index(address);
        expected.get(i).set(U16, address - places.get(i).address, (short) value);
    }

    void expect32(long address, int value) {
        int i = index(address);
        expected.get(i).set(U32, address - places.get(i).address, value);
    }

    /** Accepts whatever the device has written there. */
    void acceptAnything(long address, long length) {
        int i = index(address);
        long at = address - places.get(i).address;
        MemorySegment.copy(regions.get(i).segment(), at, expected.get(i), at, length);
    }

    /** Requires that the device has written what was expected, and nothing else. */
    void requireAsExpected(String after) {
        for (int i = 0; i < regions.size(); i++) {
            long at = regions.get(i).segment().mismatch(expected.get(i));
            if (at >= 0) {
                throw new BrokenRule(String.format(
                        "after %s guest memory at %#x is %#x and should be %#x",
                        after,
                        places.get(i).address + at,
                        regions.get(i).segment().get(JAVA_BYTE, at) & 0xff,
                        expected.get(i).get(JAVA_BYTE, at) & 0xff));
            }
        }
    }
}
