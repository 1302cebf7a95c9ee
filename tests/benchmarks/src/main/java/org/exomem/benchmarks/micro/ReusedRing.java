package org.exomem.benchmarks.micro;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.RingArea;
import org.exomem.vhostuser.virtqueue.VirtqueueSetup;

/**
 * A driver that makes the same device-readable buffer available repeatedly, and never reads the used ring. It allocates
 * nothing and costs next to nothing, so that the benchmark measures the device. The device must use each buffer before
 * the next is made available.
 */
abstract sealed class ReusedRing permits ReusedSplitRing, ReusedPackedRing {
    static final ValueLayout.OfShort LE_SHORT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LE_LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final VarHandle SHORT = LE_SHORT.varHandle();
    static final int INDIRECT = 4;
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int DESCRIPTOR = 16;

    final GuestRam ram;
    final int size;
    final boolean eventIndex;
    final MemorySegment descriptors;
    final MemorySegment driver;
    private final MemorySegment device;
    private final long features;
    private final long descriptorsAt;
    private final long driverAt;
    private final long deviceAt;

    ReusedRing(GuestRam ram, int size, long features, long driverBytes, long deviceBytes) {
        this.ram = ram;
        this.size = size;
        this.features = features;
        this.eventIndex = (features & Features.EVENT_IDX) != 0;
        this.descriptorsAt = ram.allocate((long) DESCRIPTOR * size, DESCRIPTOR);
        this.driverAt = ram.allocate(driverBytes, 4);
        this.deviceAt = ram.allocate(deviceBytes, 4);
        this.descriptors = ram.bytes(descriptorsAt, (long) DESCRIPTOR * size);
        this.driver = ram.bytes(driverAt, driverBytes);
        this.device = ram.bytes(deviceAt, deviceBytes);
    }

    /**
     * A ring for one buffer of {@code length} bytes.
     *
     * @param features VERSION_1, and optionally RING_PACKED and EVENT_IDX
     * @param indirect whether the descriptor refers to a table that has the buffer
     */
    static ReusedRing of(GuestRam ram, int size, long features, boolean indirect, long address, int length) {
        long target = address;
        int targetLength = length;
        if (indirect) {
            target = ram.allocate(DESCRIPTOR, DESCRIPTOR);
            targetLength = DESCRIPTOR;
            ram.putLong(target, address);
            ram.putInt(target + 8, length);
            ram.putInt(target + 12, 0);
        }
        return of(ram, size, features, target, targetLength, indirect ? INDIRECT : 0);
    }

    /**
     * A ring for one request with its response, both in an indirect table: the features of the device must include
     * INDIRECT_DESC.
     */
    static ReusedRing ofRequest(
            GuestRam ram, int size, long features, long request, int requestLength, long response, int responseLength) {
        boolean packed = (features & Features.RING_PACKED) != 0;
        long table = ram.allocate(2L * DESCRIPTOR, DESCRIPTOR);
        ram.putLong(table, request);
        ram.putInt(table + 8, requestLength);
        ram.putShort(table + 12, packed ? 0 : NEXT);
        ram.putShort(table + 14, packed ? 0 : 1);
        ram.putLong(table + DESCRIPTOR, response);
        ram.putInt(table + DESCRIPTOR + 8, responseLength);
        ram.putShort(table + DESCRIPTOR + 12, packed ? 0 : WRITE);
        ram.putShort(table + DESCRIPTOR + 14, packed ? WRITE : 0);
        return of(ram, size, features, table, 2 * DESCRIPTOR, INDIRECT);
    }

    private static ReusedRing of(GuestRam ram, int size, long features, long target, int targetLength, int flags) {
        return (features & Features.RING_PACKED) != 0
                ? new ReusedPackedRing(ram, size, features, target, targetLength, flags)
                : new ReusedSplitRing(ram, size, features, target, targetLength, flags);
    }

    /** Makes the buffer available, and requests a call for it. */
    abstract void makeAvailable();

    /** The position at which the device begins. */
    abstract int base();

    /** The ring for a device in this process. */
    final VirtqueueSetup setup(GuestMemory memory) {
        return new VirtqueueSetup(
                0,
                size,
                features,
                memory,
                new RingArea(descriptorsAt, descriptors),
                new RingArea(driverAt, driver),
                new RingArea(deviceAt, device),
                base(),
                -1,
                null);
    }

    /** The ring's addresses as a front-end sends them. */
    final RingAddresses addresses() {
        return new RingAddresses(
                0, 0, ram.userAddress(descriptorsAt), ram.userAddress(deviceAt), ram.userAddress(driverAt), 0);
    }
}
