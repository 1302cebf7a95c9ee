package org.exomem.conformance.guest;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/**
 * The driver's side of a split ring (spec/virtqueues.md, VQ-SPL).
 *
 * <pre>
 * descriptor (16 bytes)   available ring            used ring
 *  0 le64 address          0 le16 flags              0 le16 flags
 *  8 le32 length           2 le16 idx                2 le16 idx
 * 12 le16 flags            4 le16 ring[size]         4 { le32 id, le32 length }[size]
 * 14 le16 next               le16 used_event           le16 avail_event
 * </pre>
 */
public final class SplitDriver extends RingDriver {
    static final int NEXT = 1;
    static final int WRITE = 2;
    static final int INDIRECT = 4;
    private static final int NO_NOTIFICATION = 1;
    private static final ValueLayout.OfShort LE_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORT = LE_SHORT.varHandle();

    private final long descriptorsAt;
    private final long availableAt;
    private final long usedAt;
    private final MemorySegment descriptors;
    private final MemorySegment available;
    private final MemorySegment used;
    private final long usedEvent;
    private final long availEvent;
    private final int mask;
    private final Outstanding outstanding;
    private final int[] next;
    private int firstFree;
    private int freeCount;
    private int availableIndex;
    private int kickedIndex;
    private int usedIndex;
    private boolean callsSuppressed;

    public SplitDriver(GuestRam ram, int index, int size, long features) throws LinuxException {
        super(ram, index, size, features);
        this.descriptorsAt = ram.allocateZeroed(16L * size, 16);
        this.availableAt = ram.allocateZeroed(6 + 2L * size, 2);
        this.usedAt = ram.allocateZeroed(6 + 8L * size, 4);
        this.descriptors = ram.bytes(descriptorsAt, 16L * size);
        this.available = ram.bytes(availableAt, 6 + 2L * size);
        this.used = ram.bytes(usedAt, 6 + 8L * size);
        this.usedEvent = 4 + 2L * size;
        this.availEvent = 4 + 8L * size;
        this.mask = size - 1;
        this.outstanding = new Outstanding(size, inOrder);
        this.next = new int[size];
        for (int i = 0; i < size; i++) {
            next[i] = (i + 1) & mask;
        }
        this.freeCount = size;
    }

    @Override
    public long descriptors() {
        return descriptorsAt;
    }

    @Override
    public long driverArea() {
        return availableAt;
    }

    @Override
    public long deviceArea() {
        return usedAt;
    }

    @Override
    public int base() {
        return availableIndex & 0xffff;
    }

    @Override
    public int usedBase() {
        return usedIndex & 0xffff;
    }

    @Override
    public void beginAt(int base) {
        availableIndex = base & 0xffff;
        kickedIndex = availableIndex;
        usedIndex = availableIndex;
        available.set(LE_SHORT, 2, (short) base);
        used.set(LE_SHORT, 2, (short) base);
        if (eventIndex) {
            available.set(LE_SHORT, usedEvent, (short) base);
            // The previous device has left this value. A migrated ring's new device need not.
            used.set(LE_SHORT, availEvent, (short) base);
        }
    }

    @Override
    public int outstanding() {
        return outstanding.count();
    }

    @Override
    public int free() {
        return freeCount;
    }

    @Override
    public int add(List<Buffer> chain) {
        require(chain.size());
        int head = firstFree;
        int descriptor = head;
        long writable = 0;
        for (int i = 0; i < chain.size(); i++) {
            Buffer buffer = chain.get(i);
            boolean last = i == chain.size() - 1;
            describe(
                    descriptor, buffer.address(), buffer.length(), (last ? 0 : NEXT) | (buffer.writable() ? WRITE : 0));
            writable += buffer.writable() ? buffer.length() : 0;
            descriptor = next[descriptor];
        }
        publish(head, descriptor, chain.size(), writable);
        traffic().added(index(), head, chain);
        return head;
    }

    @Override
    public int addIndirect(List<Buffer> chain) {
        require(1);
        int head = firstFree;
        long table = tables().writeSplit(head, chain);
        describe(head, table, (long) chain.size() * IndirectTables.ENTRY_SIZE, INDIRECT);
        long writable = chain.stream()
                .filter(Buffer::writable)
                .mapToLong(Buffer::length)
                .sum();
        publish(head, next[head], 1, writable);
        traffic().added(index(), head, chain);
        return head;
    }

    private void require(int count) {
        if (count == 0 || count > freeCount) {
            throw new IllegalStateException(
                    "ring " + index() + " has " + freeCount + " free descriptors, but " + count + " are requested");
        }
    }

    private void describe(int descriptor, long address, long length, int flags) {
        long at = 16L * descriptor;
        descriptors.set(LE_LONG, at, address);
        descriptors.set(LE_INT, at + 8, (int) length);
        descriptors.set(LE_SHORT, at + 12, (short) flags);
        descriptors.set(LE_SHORT, at + 14, (short) ((flags & NEXT) != 0 ? next[descriptor] : 0));
    }

    private void publish(int head, int newFirstFree, int count, long writable) {
        firstFree = newFirstFree;
        freeCount -= count;
        outstanding.add(head, count, writable);
        available.set(LE_SHORT, 4 + 2L * (availableIndex & mask), (short) head);
        availableIndex++;
        // Release: a device that sees the new idx must see the entry and its descriptors (VQ-SPL-5).
        SHORT.setRelease(available, 2L, (short) availableIndex);
    }

    @Override
    boolean kickWanted() {
        // The device must see the new idx before this driver reads the device's event index or flag, or both sides may
        // sleep (VQ-SPL-6).
        VarHandle.fullFence();
        int before = kickedIndex;
        kickedIndex = availableIndex;
        if (!eventIndex) {
            return before != availableIndex && (used.get(LE_SHORT, 0) & NO_NOTIFICATION) == 0;
        }
        int event = (short) SHORT.getAcquire(used, availEvent);
        return crossed(event, availableIndex, before);
    }

    /** True if the step from {@code before} to {@code now} passed over {@code event} (VQ-EVT-2). */
    static boolean crossed(int event, int now, int before) {
        return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
    }

    @Override
    public @Nullable Used poll() {
        if (!outstanding.inBatch()) {
            // Acquire: the entry must be read after the idx that makes it valid.
            int idx = (short) SHORT.getAcquire(used, 2L);
            if (((idx - usedIndex) & 0xffff) == 0) {
                return null;
            }
            long entry = 4 + 8L * (usedIndex & mask);
            outstanding.used(used.get(LE_INT, entry), Integer.toUnsignedLong(used.get(LE_INT, entry + 4)));
        }
        Used result = outstanding.next();
        reclaim(result.id());
        traffic().used(index(), result);
        usedIndex++;
        if (eventIndex && !callsSuppressed) {
            SHORT.setRelease(available, usedEvent, (short) usedIndex);
        }
        return result;
    }

    private void reclaim(int head) {
        int count = outstanding.remove(head);
        freeCount += count;
        if (inOrder) {
            // In order, descriptors are taken from the table cyclically (VQ-ORD-1): the links do not change.
            return;
        }
        int last = head;
        for (int i = 1; i < count; i++) {
            last = next[last];
        }
        next[last] = firstFree;
        firstFree = head;
    }

    @Override
    public void suppressCalls() {
        callsSuppressed = true;
        if (!eventIndex) {
            available.set(LE_SHORT, 0, (short) NO_NOTIFICATION);
        }
    }

    @Override
    public void resumeCalls() {
        callsSuppressed = false;
        if (eventIndex) {
            SHORT.setRelease(available, usedEvent, (short) usedIndex);
        } else {
            available.set(LE_SHORT, 0, (short) 0);
        }
        // The device must see the request for calls before this driver looks for used entries once more.
        VarHandle.fullFence();
    }
}
