package org.exomem.vhostuser.virtqueue;

import java.lang.invoke.VarHandle;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * VIRTIO, "Packed Virtqueues": "Supplying Buffers to The Device", "Receiving Used Buffers From The Device". Positions
 * count from the ring's first slot without a limit; slot and wrap counter follow from them.
 */
final class PackedDriver extends TestDriver {
    static final int AVAIL = 1 << 7;
    static final int USED = 1 << 15;

    private final int[] freeIds;
    private final int[] slots;
    private int firstFree;
    private int freeIdCount;
    private int freeSlots;
    private long available;
    private long kickAskedAt;
    private long seen;

    PackedDriver(GuestRam ram, RingKind kind, int size, int tableEntries) {
        super(ram, kind, size, 4, 4, tableEntries);
        freeIds = new int[size];
        slots = new int[size];
        for (int i = 0; i < size; i++) {
            freeIds[i] = i;
        }
        freeIdCount = size;
        freeSlots = size;
    }

    @Override
    int initialBase() {
        return (1 << 31) | (1 << 15);
    }

    int slot(long position) {
        return (int) (position % size);
    }

    /** "A single-bit ring wrap counter initialized to 1", changed after each last slot. */
    boolean wrap(long position) {
        return position / size % 2 == 0;
    }

    long available() {
        return available;
    }

    long seen() {
        return seen;
    }

    /** "Set the AVAIL bit to the current value of the Driver Ring Wrap Counter, the USED bit to inverse value." */
    int availableFlags(long position) {
        return wrap(position) ? AVAIL : USED;
    }

    @Override
    int add(List<Piece> pieces) {
        boolean table = kind.indirect() && pieces.size() > 1;
        int needed = table ? 1 : pieces.size();
        if (needed > freeSlots || freeIdCount == 0) {
            return -1;
        }
        int id = freeIds[firstFree];
        firstFree = (firstFree + 1) % size;
        freeIdCount--;
        freeSlots -= needed;
        slots[id] = needed;
        long first = available;
        int firstFlags = 0;
        for (int i = 0; i < needed; i++) {
            Piece piece = pieces.get(i);
            int flags = availableFlags(available);
            if (table) {
                writeTable(table(id), pieces);
                flags |= INDIRECT;
                describe(slot(available), table(id), 16L * pieces.size(), id);
            } else {
                flags |= (piece.writable() ? WRITE : 0) | (i + 1 < needed ? NEXT : 0);
                describe(slot(available), piece.address(), piece.length(), id);
            }
            if (i == 0) {
                firstFlags = flags;
            } else {
                U16.set(descriptors, 16L * slot(available) + 14, (short) flags);
            }
            available++;
        }
        // "Don't mark the 1st descriptor available until all of them are ready."
        U16.setRelease(descriptors, 16L * slot(first) + 14, (short) firstFlags);
        return id;
    }

    private void writeTable(long address, List<Piece> pieces) {
        for (int i = 0; i < pieces.size(); i++) {
            writeEntry(address + 16L * i, pieces.get(i), 0, 14, 0, 12);
        }
    }

    private void describe(int slot, long address, long length, int id) {
        U64.set(descriptors, 16L * slot, address);
        U32.set(descriptors, 16L * slot + 8, (int) length);
        U16.set(descriptors, 16L * slot + 12, (short) id);
    }

    int flags(int slot) {
        return (short) U16.getAcquire(descriptors, 16L * slot + 14) & 0xffff;
    }

    private boolean isUsed() {
        int flags = flags(slot(seen));
        boolean wrap = wrap(seen);
        return seen < available && (flags & AVAIL) != 0 == wrap && (flags & USED) != 0 == wrap;
    }

    @Override
    @Nullable
    Used poll() {
        if (!isUsed()) {
            return null;
        }
        long offset = 16L * slot(seen);
        int id = (short) U16.get(descriptors, offset + 12) & 0xffff;
        boolean wrote = (flags(slot(seen)) & WRITE) != 0;
        long written = wrote ? (int) U32.get(descriptors, offset + 8) & 0xffff_ffffL : 0;
        seen += slots[id];
        freeSlots += slots[id];
        freeIds[(firstFree + freeIdCount) % size] = id;
        freeIdCount++;
        return new Used(id, written);
    }

    @Override
    boolean mustKick() {
        long old = kickAskedAt;
        kickAskedAt = available;
        if (old == available) {
            return false;
        }
        VarHandle.fullFence();
        int flags = (short) U16.getVolatile(deviceArea, 2L) & 3;
        if (flags != 2) {
            return flags == 0;
        }
        int event = (short) U16.getVolatile(deviceArea, 0L) & 0xffff;
        for (long position = old; position < available; position++) {
            if (event == eventAt(position)) {
                return true;
            }
        }
        return false;
    }

    /** "desc_event_off : 15; desc_event_wrap : 1". */
    int eventAt(long position) {
        return slot(position) | (wrap(position) ? 1 << 15 : 0);
    }

    @Override
    void disableCalls() {
        U16.setVolatile(driverArea, 2L, (short) 1);
    }

    @Override
    boolean enableCalls() {
        if (kind.eventIndex()) {
            setCallAt(seen);
        } else {
            U16.setVolatile(driverArea, 2L, (short) 0);
        }
        VarHandle.fullFence();
        return isUsed();
    }

    void setCallAt(long position) {
        U16.setVolatile(driverArea, 0L, (short) eventAt(position));
        U16.setRelease(driverArea, 2L, (short) 2);
    }

    @Override
    void writeDescriptor(int index, long address, long length, int flags, int id) {
        describe(index, address, length, id);
        U16.setRelease(descriptors, 16L * index + 14, (short) flags);
    }
}
