package org.exomem.conformance.guest;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/**
 * The driver's side of a packed ring (spec/virtqueues.md, VQ-PCK).
 *
 * <pre>
 * descriptor (16 bytes)   event suppression (4 bytes), one of the driver's, one of the device's
 *  0 le64 address          0 le16 bits 0-14 offset, bit 15 wrap counter
 *  8 le32 length           2 le16 flags: 0 enable, 1 disable, 2 at the given descriptor
 * 12 le16 buffer id
 * 14 le16 flags
 * </pre>
 */
public final class PackedDriver extends RingDriver {
    static final int WRITE = 2;
    private static final int NEXT = 1;
    private static final int INDIRECT = 4;
    private static final int AVAILABLE = 1 << 7;
    private static final int USED = 1 << 15;
    private static final int ENABLE = 0;
    private static final int DISABLE = 1;
    private static final int AT_DESCRIPTOR = 2;
    private static final ValueLayout.OfShort LE_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORT = LE_SHORT.varHandle();

    private final long ringAt;
    private final long driverEventAt;
    private final long deviceEventAt;
    private final MemorySegment ring;
    private final MemorySegment driverEvent;
    private final MemorySegment deviceEvent;
    private final Outstanding outstanding;
    private final int[] freeIds;
    private int freeIdCount;
    private int freeSlots;
    private int nextAvailable;
    private boolean availableWrap = true;
    private int nextUsed;
    private boolean usedWrap = true;
    private int addedSinceKick;
    private boolean callsSuppressed;

    public PackedDriver(GuestRam ram, int index, int size, long features) throws LinuxException {
        super(ram, index, size, features);
        this.ringAt = ram.allocateZeroed(16L * size, 16);
        this.driverEventAt = ram.allocateZeroed(4, 4);
        this.deviceEventAt = ram.allocateZeroed(4, 4);
        this.ring = ram.bytes(ringAt, 16L * size);
        this.driverEvent = ram.bytes(driverEventAt, 4);
        this.deviceEvent = ram.bytes(deviceEventAt, 4);
        this.outstanding = new Outstanding(size, inOrder);
        this.freeIds = new int[size];
        for (int i = 0; i < size; i++) {
            freeIds[i] = size - 1 - i;
        }
        this.freeIdCount = size;
        this.freeSlots = size;
    }

    @Override
    public long descriptors() {
        return ringAt;
    }

    @Override
    public long driverArea() {
        return driverEventAt;
    }

    @Override
    public long deviceArea() {
        return deviceEventAt;
    }

    @Override
    public int base() {
        int position = nextAvailable | (availableWrap ? 1 << 15 : 0);
        return position | (position << 16);
    }

    @Override
    public int usedBase() {
        int position = usedPosition() & 0xffff;
        return position | (position << 16);
    }

    @Override
    public void beginAt(int base) {
        nextAvailable = base & 0x7fff;
        availableWrap = (base & 0x8000) != 0;
        nextUsed = nextAvailable;
        usedWrap = availableWrap;
        if (eventIndex) {
            driverEvent.set(LE_SHORT, 0, usedPosition());
        }
    }

    @Override
    public int outstanding() {
        return outstanding.count();
    }

    @Override
    public int free() {
        return freeSlots;
    }

    @Override
    public int add(List<Buffer> chain) {
        require(chain.size());
        int id = freeIds[--freeIdCount];
        int head = nextAvailable;
        int headFlags = 0;
        long writable = 0;
        for (int i = 0; i < chain.size(); i++) {
            Buffer buffer = chain.get(i);
            int flags = availableFlags() | (i == chain.size() - 1 ? 0 : NEXT) | (buffer.writable() ? WRITE : 0);
            int at = nextAvailable;
            describe(at, buffer.address(), buffer.length(), id);
            if (i == 0) {
                headFlags = flags;
            } else {
                ring.set(LE_SHORT, 16L * at + 14, (short) flags);
            }
            writable += buffer.writable() ? buffer.length() : 0;
            advanceAvailable();
        }
        publish(head, headFlags, id, chain.size(), writable);
        traffic().added(index(), id, chain);
        return id;
    }

    @Override
    public int addIndirect(List<Buffer> chain) {
        require(1);
        int id = freeIds[--freeIdCount];
        int head = nextAvailable;
        int flags = availableFlags() | INDIRECT;
        long table = tables().writePacked(id, chain);
        describe(head, table, (long) chain.size() * IndirectTables.ENTRY_SIZE, id);
        advanceAvailable();
        long writable = chain.stream()
                .filter(Buffer::writable)
                .mapToLong(Buffer::length)
                .sum();
        publish(head, flags, id, 1, writable);
        traffic().added(index(), id, chain);
        return id;
    }

    private void require(int count) {
        if (count == 0 || count > freeSlots || freeIdCount == 0) {
            throw new IllegalStateException(
                    "ring " + index() + " has " + freeSlots + " free descriptors, but " + count + " are requested");
        }
    }

    private int availableFlags() {
        return availableWrap ? AVAILABLE : USED;
    }

    private void describe(int slot, long address, long length, int id) {
        ring.set(LE_LONG, 16L * slot, address);
        ring.set(LE_INT, 16L * slot + 8, (int) length);
        ring.set(LE_SHORT, 16L * slot + 12, (short) id);
    }

    private void advanceAvailable() {
        nextAvailable++;
        if (nextAvailable == size()) {
            nextAvailable = 0;
            availableWrap = !availableWrap;
        }
    }

    private void publish(int head, int flags, int id, int count, long writable) {
        freeSlots -= count;
        addedSinceKick += count;
        outstanding.add(id, count, writable);
        // Release: the device must see the whole list before its first descriptor becomes available (VQ-PCK-4).
        SHORT.setRelease(ring, 16L * head + 14, (short) flags);
    }

    @Override
    boolean kickWanted() {
        // The device must see the descriptors before this driver reads the device's event suppression, or both sides
        // may sleep (VQ-PCK-8).
        VarHandle.fullFence();
        int added = addedSinceKick;
        addedSinceKick = 0;
        int flags = (short) SHORT.getAcquire(deviceEvent, 2L) & 3;
        if (flags != AT_DESCRIPTOR) {
            return added > 0 && flags == ENABLE;
        }
        int offsetAndWrap = deviceEvent.get(LE_SHORT, 0);
        int event = offsetAndWrap & 0x7fff;
        if ((offsetAndWrap & 0x8000) != 0 != availableWrap) {
            event -= size();
        }
        return SplitDriver.crossed(event, nextAvailable, nextAvailable - added);
    }

    @Override
    public @Nullable Used poll() {
        if (!outstanding.inBatch()) {
            // Acquire: id and length must be read after the flags that make them valid.
            int flags = (short) SHORT.getAcquire(ring, 16L * nextUsed + 14);
            boolean available = (flags & AVAILABLE) != 0;
            if (available != ((flags & USED) != 0) || available != usedWrap) {
                return null;
            }
            int id = Short.toUnsignedInt(ring.get(LE_SHORT, 16L * nextUsed + 12));
            long written = Integer.toUnsignedLong(ring.get(LE_INT, 16L * nextUsed + 8));
            // Without the write flag the length has no meaning (VQ-PCK-6).
            outstanding.used(id, (flags & WRITE) != 0 ? written : 0);
        }
        Used result = outstanding.next();
        int slots = outstanding.remove(result.id());
        freeIds[freeIdCount++] = result.id();
        freeSlots += slots;
        nextUsed += slots;
        if (nextUsed >= size()) {
            nextUsed -= size();
            usedWrap = !usedWrap;
        }
        traffic().used(index(), result);
        if (!callsSuppressed && eventIndex) {
            driverEvent.set(LE_SHORT, 0, usedPosition());
        }
        return result;
    }

    private short usedPosition() {
        return (short) (nextUsed | (usedWrap ? 1 << 15 : 0));
    }

    @Override
    public void suppressCalls() {
        callsSuppressed = true;
        driverEvent.set(LE_SHORT, 2, (short) DISABLE);
    }

    @Override
    public void resumeCalls() {
        callsSuppressed = false;
        if (eventIndex) {
            driverEvent.set(LE_SHORT, 0, usedPosition());
            SHORT.setRelease(driverEvent, 2L, (short) AT_DESCRIPTOR);
        } else {
            driverEvent.set(LE_SHORT, 2, (short) ENABLE);
        }
        // The device must see the request for calls before this driver looks for used descriptors once more.
        VarHandle.fullFence();
    }
}
