package org.exomem.vhostuser.virtqueue;

import java.lang.invoke.VarHandle;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** VIRTIO, "Split Virtqueues": "Supplying Buffers to The Device", "Receiving Used Buffers From The Device". */
final class SplitDriver extends TestDriver {
    private final int[] free;
    private final int[] chainLength;
    private final int[] chainNext;
    private int firstFree;
    private int freeCount;
    private int available;
    private int kickAskedAt;
    private int seen;

    SplitDriver(GuestRam ram, RingKind kind, int size, int tableEntries) {
        super(ram, kind, size, 6 + 2L * size, 6 + 8L * size, tableEntries);
        free = new int[size];
        chainLength = new int[size];
        chainNext = new int[size];
        for (int i = 0; i < size; i++) {
            free[i] = i;
        }
        freeCount = size;
    }

    /** Starts both indices of an unused ring at another number, so that they wrap sooner. */
    void startAt(int index) {
        available = index;
        kickAskedAt = index;
        seen = index;
        U16.setVolatile(driverArea, 2L, (short) index);
        U16.setVolatile(deviceArea, 2L, (short) index);
    }

    @Override
    int initialBase() {
        return (short) U16.getVolatile(deviceArea, 2L) & 0xffff;
    }

    @Override
    int add(List<Piece> pieces) {
        int head = describe(pieces);
        if (head >= 0) {
            offer(head);
        }
        return head;
    }

    /** Writes the descriptors of a chain without making it available. */
    int describe(List<Piece> pieces) {
        boolean table = kind.indirect() && pieces.size() > 1;
        int needed = table ? 1 : pieces.size();
        if (needed > freeCount) {
            return -1;
        }
        int head = free[firstFree];
        chainLength[head] = needed;
        if (table) {
            long at = table(head);
            for (int i = 0; i < pieces.size(); i++) {
                boolean more = i + 1 < pieces.size();
                writeEntry(at + 16L * i, pieces.get(i), more ? NEXT : 0, 12, more ? i + 1 : 0, 14);
            }
            writeDescriptor(take(), at, 16L * pieces.size(), INDIRECT, 0);
            return head;
        }
        for (int i = 0; i < pieces.size(); i++) {
            Piece piece = pieces.get(i);
            int index = take();
            boolean more = i + 1 < pieces.size();
            chainNext[index] = more ? free[firstFree] : -1;
            int flags = (piece.writable() ? WRITE : 0) | (more ? NEXT : 0);
            writeDescriptor(index, piece.address(), piece.length(), flags, more ? free[firstFree] : 0);
        }
        return head;
    }

    private int take() {
        int index = free[firstFree];
        firstFree = (firstFree + 1) % size;
        freeCount--;
        return index;
    }

    /** "The driver places the index of the head ... into the next ring entry", then moves idx. */
    void offer(int head) {
        U16.set(driverArea, 4 + 2L * (available % size), (short) head);
        available = (available + 1) & 0xffff;
        U16.setRelease(driverArea, 2L, (short) available);
    }

    void setAvailableHead(int position, int head) {
        U16.set(driverArea, 4 + 2L * position, (short) head);
    }

    void setAvailableIndex(int index) {
        U16.setRelease(driverArea, 2L, (short) index);
    }

    /** The flags of the used ring. */
    int deviceFlags() {
        return (short) U16.getVolatile(deviceArea, 0L) & 0xffff;
    }

    int usedIndex() {
        return (short) U16.getAcquire(deviceArea, 2L) & 0xffff;
    }

    @Override
    @Nullable
    Used poll() {
        if (usedIndex() == seen) {
            return null;
        }
        long entry = 4 + 8L * (seen % size);
        int id = (int) U32.get(deviceArea, entry);
        long written = (int) U32.get(deviceArea, entry + 4) & 0xffff_ffffL;
        seen = (seen + 1) & 0xffff;
        int count = 0;
        int index = id;
        while (index >= 0 && count < chainLength[id]) {
            free[(firstFree + freeCount) % size] = index;
            freeCount++;
            count++;
            index = chainLength[id] > 1 ? chainNext[index] : -1;
        }
        return new Used(id, written);
    }

    @Override
    boolean mustKick() {
        int old = kickAskedAt;
        kickAskedAt = available;
        if (old == available) {
            return false;
        }
        VarHandle.fullFence();
        if (!kind.eventIndex()) {
            return ((short) U16.getVolatile(deviceArea, 0L) & 1) == 0;
        }
        // "If the idx field in the available ring ... was equal to avail_event, the driver MUST send a notification."
        int event = (short) U16.getVolatile(deviceArea, 4 + 8L * size) & 0xffff;
        for (int index = old; index != available; index = (index + 1) & 0xffff) {
            if (index == event) {
                return true;
            }
        }
        return false;
    }

    @Override
    void disableCalls() {
        if (kind.eventIndex()) {
            setUsedEvent(seen - 1);
        } else {
            U16.setVolatile(driverArea, 0L, (short) 1);
        }
    }

    @Override
    boolean enableCalls() {
        if (kind.eventIndex()) {
            setUsedEvent(seen);
        } else {
            U16.setVolatile(driverArea, 0L, (short) 0);
        }
        VarHandle.fullFence();
        return usedIndex() != seen;
    }

    void setUsedEvent(int index) {
        U16.setVolatile(driverArea, 4 + 2L * size, (short) index);
    }

    @Override
    void writeDescriptor(int index, long address, long length, int flags, int next) {
        long offset = 16L * index;
        U64.set(descriptors, offset, address);
        U32.set(descriptors, offset + 8, (int) length);
        U16.set(descriptors, offset + 12, (short) flags);
        U16.set(descriptors, offset + 14, (short) next);
    }
}
