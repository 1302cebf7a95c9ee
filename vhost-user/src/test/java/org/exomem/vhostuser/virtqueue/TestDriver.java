package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A driver of one ring, written from VIRTIO alone: it shares no code with the device's side except the memory. For one
 * thread.
 */
abstract sealed class TestDriver permits SplitDriver, PackedDriver {
    static final VarHandle U16 =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    static final VarHandle U32 =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    static final VarHandle U64 =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    static final int NEXT = 1;
    static final int WRITE = 2;
    static final int INDIRECT = 4;

    /** A piece of a chain. */
    record Piece(long address, long length, boolean writable) {}

    /** A chain that the device has returned; {@code token} is the result of {@link #add}. */
    record Used(int token, long written) {}

    final GuestRam ram;
    final RingKind kind;
    final int size;
    final long descriptorAddress;
    final long driverAddress;
    final long deviceAddress;
    final MemorySegment descriptors;
    final MemorySegment driverArea;
    final MemorySegment deviceArea;
    private final long tables;
    private final int tableEntries;

    TestDriver(GuestRam ram, RingKind kind, int size, long driverBytes, long deviceBytes, int tableEntries) {
        this.ram = ram;
        this.kind = kind;
        this.size = size;
        this.tableEntries = tableEntries;
        descriptorAddress = ram.allocate(16L * size, 16);
        driverAddress = ram.allocate(driverBytes, 4);
        deviceAddress = ram.allocate(deviceBytes, 4);
        descriptors = ram.at(descriptorAddress, 16L * size);
        driverArea = ram.at(driverAddress, driverBytes);
        deviceArea = ram.at(deviceAddress, deviceBytes);
        tables = kind.indirect() ? ram.allocate(16L * tableEntries * size, 16) : 0;
    }

    static TestDriver create(GuestRam ram, RingKind kind, int size) {
        int tableEntries = Math.min(size, 4);
        return kind.packed()
                ? new PackedDriver(ram, kind, size, tableEntries)
                : new SplitDriver(ram, kind, size, tableEntries);
    }

    /** Makes a chain available; returns its token, or -1 if the ring has no room for it. */
    abstract int add(List<Piece> pieces);

    /** Takes the next used buffer, or null. */
    abstract @Nullable Used poll();

    /** True if the device wants a kick for what was added since the last call. */
    abstract boolean mustKick();

    /** Asks for no calls. */
    abstract void disableCalls();

    /** Requests a call for the next used buffer. True if one was used meanwhile, for which no call will come. */
    abstract boolean enableCalls();

    /** The base of SET_VRING_BASE for an unused ring. */
    abstract int initialBase();

    /** Writes a raw entry of the descriptor area. */
    abstract void writeDescriptor(int index, long address, long length, int flags, int nextOrId);

    VirtqueueSetup setup() {
        return setup(initialBase(), null);
    }

    VirtqueueSetup setup(int base, @Nullable MemorySegment inflight) {
        return new VirtqueueSetup(
                0,
                size,
                kind.features(),
                ram.memory(),
                new RingArea(descriptorAddress, descriptors),
                new RingArea(driverAddress, driverArea),
                new RingArea(deviceAddress, deviceArea),
                base,
                -1,
                inflight);
    }

    /** The most pieces a chain can have. */
    int maxPieces() {
        return kind.indirect() ? tableEntries : size;
    }

    /** The indirect table that belongs to a descriptor; entries are written by the driver of the format. */
    long table(int index) {
        return tables + 16L * tableEntries * index;
    }

    /** Writes a table entry at any address. */
    void writeEntry(long address, Piece piece, int flags, int flagsOffset, int next, int nextOffset) {
        ram.setNumber(address, 8, piece.address());
        ram.setNumber(address + 8, 4, piece.length());
        ram.setNumber(address + flagsOffset, 2, flags | (piece.writable() ? WRITE : 0));
        ram.setNumber(address + nextOffset, 2, next);
    }
}
