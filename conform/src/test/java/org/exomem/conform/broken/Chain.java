package org.exomem.conform.broken;

import static org.exomem.conform.broken.GuestView.LE_INT;
import static org.exomem.conform.broken.GuestView.LE_LONG;
import static org.exomem.conform.broken.GuestView.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.exomem.conformance.guest.Buffer;
import org.jspecify.annotations.Nullable;

/**
 * A chain that the driver has made available.
 *
 * @param id with which it is returned
 * @param slots the number of the ring's descriptors that it occupies
 */
record Chain(int id, List<Buffer> buffers, int slots) {
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;
    private static final int ENTRY = 16;

    /** The chain at a head of a split ring. An invalid chain ends where it can't be followed. */
    static Chain split(int head, MemorySegment table, int size, GuestView memory) {
        List<Buffer> buffers = new ArrayList<>();
        int at = head;
        for (int count = 0; count < size && at < size; count++) {
            int flags = Short.toUnsignedInt(table.get(LE_SHORT, (long) ENTRY * at + 12));
            buffer(table, at, flags, 12, memory, buffers);
            if ((flags & NEXT) == 0) {
                break;
            }
            at = Short.toUnsignedInt(table.get(LE_SHORT, (long) ENTRY * at + 14));
        }
        return new Chain(head, List.copyOf(buffers), 1);
    }

    /** The list of a packed ring that begins at a slot. */
    static Chain packed(int slot, MemorySegment ring, int size, GuestView memory) {
        List<Buffer> buffers = new ArrayList<>();
        int slots = 0;
        int at = slot;
        while (true) {
            int flags = Short.toUnsignedInt(ring.get(LE_SHORT, (long) ENTRY * at + 14));
            int id = Short.toUnsignedInt(ring.get(LE_SHORT, (long) ENTRY * at + 12));
            buffer(ring, at, flags, 14, memory, buffers);
            slots++;
            if ((flags & NEXT) == 0 || slots == size) {
                return new Chain(id, List.copyOf(buffers), slots);
            }
            at = (at + 1) % size;
        }
    }

    /** @param flagsAt the offset of the flags in an entry of an indirect table */
    private static void buffer(
            MemorySegment table, int at, int flags, int flagsAt, GuestView memory, List<Buffer> into) {
        long address = table.get(LE_LONG, (long) ENTRY * at);
        long length = Integer.toUnsignedLong(table.get(LE_INT, (long) ENTRY * at + 8));
        if ((flags & INDIRECT) == 0) {
            into.add(new Buffer(address, length, (flags & WRITE) != 0));
            return;
        }
        MemorySegment indirect = memory.guest(address, length);
        if (indirect == null) {
            return;
        }
        // This driver lists the entries of a split ring's table in the order of their links.
        for (int i = 0; i < length / ENTRY; i++) {
            int own = Short.toUnsignedInt(indirect.get(LE_SHORT, (long) ENTRY * i + flagsAt));
            into.add(new Buffer(
                    indirect.get(LE_LONG, (long) ENTRY * i),
                    Integer.toUnsignedLong(indirect.get(LE_INT, (long) ENTRY * i + 8)),
                    (own & WRITE) != 0));
        }
    }

    /** The bytes that the device reads, as far as they are in guest memory. */
    byte[] readable(GuestView memory) {
        byte[] all = new byte[0];
        for (Buffer buffer : buffers) {
            MemorySegment bytes = buffer.writable() ? null : memory.guest(buffer.address(), buffer.length());
            if (bytes != null) {
                byte[] more = bytes.toArray(ValueLayout.JAVA_BYTE);
                byte[] joined = Arrays.copyOf(all, all.length + more.length);
                System.arraycopy(more, 0, joined, all.length, more.length);
                all = joined;
            }
        }
        return all;
    }

    /** The first buffer of a kind, or null if there is none in guest memory. */
    @Nullable
    MemorySegment first(boolean writable, GuestView memory) {
        for (Buffer buffer : buffers) {
            if (buffer.writable() == writable) {
                return memory.guest(buffer.address(), buffer.length());
            }
        }
        return null;
    }

    /** The number of bytes that the device may write. */
    long writableBytes() {
        return buffers.stream()
                .filter(Buffer::writable)
                .mapToLong(Buffer::length)
                .sum();
    }
}
