package org.exomem.vhostuser.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * A copy of one descriptor (struct {@code virtq_desc}, struct {@code pvirtq_desc}). Every number is read from guest memory
 * exactly once, by {@link #load}; later changes of the original by the driver have no effect here. Java's memory model
 * forbids a compiler to add a second read.
 *
 * <pre>
 *          0               8          12         14
 *         +---------------+----------+----------+----------+
 * split   | addr le64     | len le32 | flags le16 | next le16 |
 * packed  | addr le64     | len le32 | id le16    | flags le16 |
 *         +---------------+----------+----------+----------+
 * </pre>
 */
final class Descriptor {
    /** The chain continues. */
    static final int NEXT = 1;
    /** The device writes the buffer; otherwise it reads it. */
    static final int WRITE = 2;
    /** The buffer is a table of descriptors. */
    static final int INDIRECT = 4;
    /** Packed: with {@link #USED} distinguishes available from used, depending on the lap. */
    static final int AVAIL = 1 << 7;
    /** Packed. */
    static final int USED = 1 << 15;

    static final int LEN_OFFSET = 8;
    static final int PACKED_ID_OFFSET = 12;
    static final int PACKED_FLAGS_OFFSET = 14;

    private long address;
    private long rest;

    /** The bytes of a packed descriptor from {@link #LEN_OFFSET} on, as a little-endian number. */
    static long packedRest(long length, int id, int flags) {
        return length & 0xffff_ffffL
                | (id & 0xffffL) << (PACKED_ID_OFFSET - LEN_OFFSET) * Byte.SIZE
                | (flags & 0xffffL) << (PACKED_FLAGS_OFFSET - LEN_OFFSET) * Byte.SIZE;
    }

    /** Copies entry {@code index} of a table that is aligned to 16 bytes. */
    void load(MemorySegment table, int index) {
        long offset = (long) index * RingLayout.DESCRIPTOR_BYTES;
        address = (long) LittleEndian.LONG.get(table, offset);
        rest = (long) LittleEndian.LONG.get(table, offset + LEN_OFFSET);
    }

    /** Copies the entry at a guest address, which may cross from one region into the next. */
    void load(GuestMemory memory, long guestAddress) {
        MemoryRegion region = memory.find(guestAddress);
        if (region != null) {
            long offset = guestAddress - region.guestAddress();
            if (region.size() - offset >= RingLayout.DESCRIPTOR_BYTES) {
                region.requireHere(offset, RingLayout.DESCRIPTOR_BYTES);
                MemorySegment segment = region.segment();
                address = segment.get(LittleEndian.LONG_ANYWHERE, offset);
                rest = segment.get(LittleEndian.LONG_ANYWHERE, offset + LEN_OFFSET);
                return;
            }
        }
        address = loadByBytes(memory, guestAddress);
        rest = loadByBytes(memory, guestAddress + LEN_OFFSET);
    }

    private static long loadByBytes(GuestMemory memory, long guestAddress) {
        long value = 0;
        for (int i = 0; i < Long.BYTES; i++) {
            long at = guestAddress + i;
            MemoryRegion region = memory.find(at);
            if (region == null) {
                throw new DriverFault(
                        "an indirect descriptor table reaches outside guest memory at 0x" + Long.toHexString(at));
            }
            region.requireHere(at - region.guestAddress(), 1);
            value |= (region.segment().get(JAVA_BYTE, at - region.guestAddress()) & 0xffL) << (8 * i);
        }
        return value;
    }

    long address() {
        return address;
    }

    /** Length in bytes, 0 to 2^32 - 1. */
    long length() {
        return rest & 0xffff_ffffL;
    }

    int splitFlags() {
        return (int) (rest >>> 32) & 0xffff;
    }

    int splitNext() {
        return (int) (rest >>> 48);
    }

    int packedId() {
        return (int) (rest >>> 32) & 0xffff;
    }

    int packedFlags() {
        return (int) (rest >>> 48);
    }
}
