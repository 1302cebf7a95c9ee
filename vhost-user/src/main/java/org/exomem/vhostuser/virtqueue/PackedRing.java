package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.exomem.vhostuser.memory.GuestMemory;

/**
 * The memory of a packed ring (VIRTIO, "Packed Virtqueues") and the order in which it is accessed.
 *
 * <pre>
 * descriptors area: the ring, see {@link Descriptor}      driver area, device area (event suppression)
 *                                                           0  desc le16: offset in bits 0 to 14, wrap counter in 15
 *                                                           2  flags le16: bits 0 and 1
 * </pre>
 */
final class PackedRing {
    static final int EVENTS_ENABLED = 0;
    static final int EVENTS_DISABLED = 1;
    /** At the position in {@code desc}; with EVENT_IDX only. */
    static final int EVENTS_AT_DESCRIPTOR = 2;

    private static final long EVENT_DESC = 0;
    private static final long EVENT_FLAGS = 2;
    private static final int EVENT_FLAGS_MASK = 3;

    private final GuestMemory memory;
    private RingArea descriptorArea;
    private MemorySegment descriptors;
    private MemorySegment driverEvents;
    private MemorySegment deviceEvents;
    private long deviceAddress;
    private long deviceLogAddress;

    PackedRing(VirtqueueSetup setup) {
        memory = setup.memory();
        descriptorArea = setup.descriptors();
        descriptors = descriptorArea.bytes();
        driverEvents = setup.driver().bytes();
        deviceEvents = setup.device().bytes();
        deviceAddress = setup.device().guestAddress();
        deviceLogAddress = setup.usedLogAddress();
    }

    void relocate(RingArea newDescriptors, RingArea newDriver, RingArea newDevice) {
        descriptorArea = newDescriptors;
        descriptors = newDescriptors.bytes();
        driverEvents = newDriver.bytes();
        deviceEvents = newDevice.bytes();
        deviceAddress = newDevice.guestAddress();
    }

    void logUsedWritesAt(long address) {
        deviceLogAddress = address;
    }

    MemorySegment descriptors() {
        return descriptors;
    }

    /** True if there is a descriptor that no new driver has: neither zeros nor available in the first lap. */
    boolean hasUsedDescriptors(int size) {
        int atOnce = Zeros.PIECE / RingLayout.DESCRIPTOR_BYTES;
        for (int first = 0; first < size; first += atOnce) {
            int end = Math.min(size, first + atOnce);
            if (!isZero(first, end)) {
                for (int slot = first; slot < end; slot++) {
                    if (!isAvailable(flags(slot), true) && !isZero(slot, slot + 1)) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    private boolean isZero(int first, int end) {
        return Zeros.fill(descriptors.asSlice(offset(first), offset(end) - offset(first)));
    }

    int flags(int slot) {
        // Acquire: the rest of this descriptor, and those that follow it in its chain, are read after its flags; pairs
        // with the driver's barrier before it sets the flags of a chain's first descriptor ("Updating flags").
        return (short) LittleEndian.SHORT.getAcquire(descriptors, offset(slot) + Descriptor.PACKED_FLAGS_OFFSET)
                & 0xffff;
    }

    /** True if a descriptor's flags mean available in the lap of {@code wrap} (VQ-PCK-3). */
    static boolean isAvailable(int flags, boolean wrap) {
        return (flags & (Descriptor.AVAIL | Descriptor.USED)) == (wrap ? Descriptor.AVAIL : Descriptor.USED);
    }

    /**
     * Writes a used descriptor; the driver can see it when this returns. Length, id and flags change at once: if the process
     * is killed, its successor finds the descriptor as the driver made it, or used.
     */
    void writeUsed(int slot, int id, long written, boolean wrap) {
        long offset = offset(slot);
        // VQ-PCK-3; WRITE means that the length counts (VQ-PCK-6)
        int flags = (wrap ? Descriptor.AVAIL | Descriptor.USED : 0) | (written > 0 ? Descriptor.WRITE : 0);
        // VQ-PCK-4: the contents of the buffers are written before the flags that hand them to the driver.
        LittleEndian.setLongRelease(
                descriptors, offset + Descriptor.LEN_OFFSET, Descriptor.packedRest(written, id, flags));
        // SET_VRING_ADDR's log address is that of the device area; the descriptor ring is elsewhere.
        long address = descriptorArea.guestAddress() + offset;
        memory.markRing(deviceLogAddress < 0 ? -1 : address, address, RingLayout.DESCRIPTOR_BYTES);
    }

    /** When the driver wants to be called. Call after {@link #fence}. */
    int driverEventFlags() {
        // Acquire: the position is read after the flags that make it count; drivers write them in the other order.
        return (short) LittleEndian.SHORT.getAcquire(driverEvents, EVENT_FLAGS) & EVENT_FLAGS_MASK;
    }

    /** The position at which the driver wants to be called: offset in bits 0 to 14, wrap counter in bit 15. */
    int driverEventPosition() {
        return (short) LittleEndian.SHORT.get(driverEvents, EVENT_DESC) & 0xffff;
    }

    void setDeviceEvents(int flags) {
        // Release: the position of setDeviceEvents(position) counts from here on. Otherwise advice only.
        LittleEndian.setShortRelease(deviceEvents, EVENT_FLAGS, (short) flags);
        log(EVENT_FLAGS);
    }

    /** Requests a kick when the driver makes the descriptor at this position available. */
    void setDeviceEventsAt(int position) {
        LittleEndian.SHORT.set(deviceEvents, EVENT_DESC, (short) position);
        log(EVENT_DESC);
        setDeviceEvents(EVENTS_AT_DESCRIPTOR);
    }

    /**
     * Each side stores a descriptor's flags and then loads the other's event suppression, or stores its own suppression
     * and then loads a descriptor's flags ("Sending Available Buffer Notifications"). If a load could go before the
     * store, a notification could be lost; only a full fence orders a store before a load (VQ-PCK-8).
     */
    static void fence() {
        VarHandle.fullFence();
    }

    /** A descriptor's flags and both event suppressions as they are in memory, unchecked. */
    String describe(int slot) {
        return "flags of slot " + slot + " 0x" + Integer.toHexString(flags(slot)) + "; driver events "
                + events(driverEvents) + "; device events " + events(deviceEvents);
    }

    private static String events(MemorySegment area) {
        int position = (short) LittleEndian.SHORT.get(area, EVENT_DESC) & 0xffff;
        int flags = (short) LittleEndian.SHORT.get(area, EVENT_FLAGS) & 0xffff;
        return "flags " + flags + " at 0x" + Integer.toHexString(position);
    }

    private void log(long offset) {
        memory.markRing(deviceLogAddress < 0 ? -1 : deviceLogAddress + offset, deviceAddress + offset, Short.BYTES);
    }

    private static long offset(int slot) {
        return (long) slot * RingLayout.DESCRIPTOR_BYTES;
    }
}
