package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.exomem.vhostuser.memory.GuestMemory;

/**
 * The memory of a split ring (VIRTIO, "The Virtqueue Available Ring", "The Virtqueue Used Ring") and the order in which
 * it is accessed.
 *
 * <pre>
 * driver area (available ring)                  device area (used ring)
 *   0            flags le16                       0            flags le16
 *   2            idx le16                         2            idx le16
 *   4            ring[size] le16                  4            ring[size] { id le32, len le32 }
 *   4 + 2 * size used_event le16                  4 + 8 * size avail_event le16
 * </pre>
 */
final class SplitRing {
    private static final long FLAGS = 0;
    private static final long IDX = 2;
    private static final long RING = 4;
    private static final int AVAILABLE_ENTRY_BYTES = 2;
    private static final int USED_ENTRY_BYTES = 8;
    /** VIRTQ_AVAIL_F_NO_INTERRUPT and VIRTQ_USED_F_NO_NOTIFY have the same value. */
    private static final short NO_NOTIFICATION = 1;

    private final GuestMemory memory;
    private final int mask;
    private final long usedEvent;
    private final long availEvent;
    private MemorySegment descriptors;
    private MemorySegment available;
    private MemorySegment used;
    private long usedAddress;
    private long usedLogAddress;

    SplitRing(VirtqueueSetup setup) {
        memory = setup.memory();
        mask = setup.size() - 1;
        usedEvent = RING + (long) AVAILABLE_ENTRY_BYTES * setup.size();
        availEvent = RING + (long) USED_ENTRY_BYTES * setup.size();
        usedLogAddress = setup.usedLogAddress();
        descriptors = setup.descriptors().bytes();
        available = setup.driver().bytes();
        used = setup.device().bytes();
        usedAddress = setup.device().guestAddress();
    }

    void relocate(RingArea newDescriptors, RingArea newDriver, RingArea newDevice) {
        descriptors = newDescriptors.bytes();
        available = newDriver.bytes();
        used = newDevice.bytes();
        usedAddress = newDevice.guestAddress();
    }

    void logUsedWritesAt(long address) {
        usedLogAddress = address;
    }

    MemorySegment descriptors() {
        return descriptors;
    }

    /** True if any used entry was ever written, by this device or an earlier one, since the driver made the ring. */
    boolean hasUsedEntries() {
        return !Zeros.fill(used.asSlice(RING, availEvent - RING));
    }

    /** The driver's index, 0 to 65535. */
    int availableIndex() {
        // VQ-SPL-5. Acquire: the ring entries and descriptors below this index are read after it; pairs with the
        // barrier that the driver puts before its update of idx ("Updating idx").
        return (short) LittleEndian.SHORT.getAcquire(available, IDX) & 0xffff;
    }

    /** The head at a position of the available ring, unchecked: 0 to 65535. */
    int availableHead(int index) {
        return (short) LittleEndian.SHORT.get(available, RING + (long) AVAILABLE_ENTRY_BYTES * (index & mask)) & 0xffff;
    }

    /** The device's own index in memory; read at the start only. */
    int usedIndex() {
        // Acquire, for recovery: what an earlier back-end published with this index is visible too.
        return (short) LittleEndian.SHORT.getAcquire(used, IDX) & 0xffff;
    }

    /** Writes the entry at {@code index}, which the driver does not see before {@link #publishUsed}. */
    void writeUsedEntry(int index, int head, long written) {
        long offset = RING + (long) USED_ENTRY_BYTES * (index & mask);
        LittleEndian.INT.set(used, offset, head);
        LittleEndian.INT.set(used, offset + Integer.BYTES, (int) written);
        log(offset, USED_ENTRY_BYTES);
    }

    void publishUsed(int index) {
        // VQ-SPL-5. Release: the entry (above all its len) and the buffers' contents are written before idx ("The
        // Virtqueue Used Ring", device requirements).
        LittleEndian.setShortRelease(used, IDX, (short) index);
        log(IDX, Short.BYTES);
    }

    /** The driver's request without EVENT_IDX. Call it after {@link #fence}. */
    boolean driverWantsCalls() {
        return ((short) LittleEndian.SHORT.getOpaque(available, FLAGS) & NO_NOTIFICATION) == 0;
    }

    /** The used index at which the driver wants to be called, with EVENT_IDX. Call it after {@link #fence}. */
    int usedEvent() {
        return (short) LittleEndian.SHORT.getOpaque(available, usedEvent) & 0xffff;
    }

    /** Without EVENT_IDX. Advice only, so that no order is needed; {@link #fence} follows where it is. */
    void setKicksSuppressed(boolean suppressed) {
        LittleEndian.SHORT.set(used, FLAGS, suppressed ? NO_NOTIFICATION : (short) 0);
        log(FLAGS, Short.BYTES);
    }

    /** With EVENT_IDX: requests a kick when the driver makes the entry at {@code index} available. */
    void setAvailEvent(int index) {
        LittleEndian.SHORT.set(used, availEvent, (short) index);
        log(availEvent, Short.BYTES);
    }

    /**
     * Each side stores one number and then loads one that the other side stores: the device used idx then used_event
     * (or flags), the driver used_event then used idx; likewise avail_event and available idx. If either load could go
     * before its store, both sides could see the old value and a notification be lost. Only a full fence orders a store
     * before a load (VQ-SPL-6).
     */
    static void fence() {
        VarHandle.fullFence();
    }

    /** Indices, flags and events as they are in memory, unchecked. */
    @Override
    public String toString() {
        return "available idx " + u16(available, IDX) + ", flags " + u16(available, FLAGS) + ", used_event "
                + u16(available, usedEvent) + "; used idx " + u16(used, IDX) + ", flags " + u16(used, FLAGS)
                + ", avail_event " + u16(used, availEvent);
    }

    private static int u16(MemorySegment area, long offset) {
        return (short) LittleEndian.SHORT.get(area, offset) & 0xffff;
    }

    private void log(long offset, long length) {
        memory.markRing(usedLogAddress < 0 ? -1 : usedLogAddress + offset, usedAddress + offset, length);
    }
}
