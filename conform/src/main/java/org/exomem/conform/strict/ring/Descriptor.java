package org.exomem.conform.strict.ring;

import java.lang.foreign.MemorySegment;
import org.exomem.conform.strict.memory.GuestMemory;

/**
 * A descriptor as it is in a table, unchecked. In a split ring {@code link} is the number of the next descriptor, in a
 * packed ring the id of the buffer.
 *
 * @param place its number in its table
 * @param address guest address in bytes
 * @param length bytes
 */
public record Descriptor(int place, long address, long length, int flags, int link) {
    public static final int SIZE = 16;
    public static final int NEXT = 1;
    public static final int WRITE = 2;
    public static final int INDIRECT = 4;
    public static final int AVAIL = 1 << 7;
    public static final int USED = 1 << 15;

    static Descriptor split(MemorySegment table, int place) {
        long at = (long) SIZE * place;
        return new Descriptor(
                place,
                table.get(GuestMemory.LE_LONG, at),
                Integer.toUnsignedLong(table.get(GuestMemory.LE_INT, at + 8)),
                Short.toUnsignedInt(table.get(GuestMemory.LE_SHORT, at + 12)),
                Short.toUnsignedInt(table.get(GuestMemory.LE_SHORT, at + 14)));
    }

    static Descriptor packed(MemorySegment table, int place) {
        long at = (long) SIZE * place;
        return new Descriptor(
                place,
                table.get(GuestMemory.LE_LONG, at),
                Integer.toUnsignedLong(table.get(GuestMemory.LE_INT, at + 8)),
                Short.toUnsignedInt(table.get(GuestMemory.LE_SHORT, at + 14)),
                Short.toUnsignedInt(table.get(GuestMemory.LE_SHORT, at + 12)));
    }

    /** True if all of these flags are set. */
    public boolean has(int bits) {
        return (flags & bits) == bits;
    }

    @Override
    public String toString() {
        return "[" + place + ": " + (has(INDIRECT) ? "table" : has(WRITE) ? "write" : "read") + " " + length
                + " at 0x" + Long.toHexString(address) + " flags 0x" + Integer.toHexString(flags) + " "
                + (has(NEXT) ? "next " : "") + link + "]";
    }
}
