package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.exomem.vhostuser.virtqueue.RingFeatures;
import org.exomem.vhostuser.virtqueue.RingLayout;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.exomem.vhostuser.virtqueue.VirtqueueSetup;

/** A split ring with a very simple driver: descriptors are used once, in order. */
final class TestQueue {
    static final int SIZE = 4096;

    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int NEXT = 1;
    private static final int WRITE = 2;

    /** A part of a chain. */
    record Piece(long address, long length, boolean writable) {}

    private final TestRam ram;
    private final int index;
    private final long descriptors;
    private final long available;
    private final long used;
    private int nextDescriptor;
    private int availableIndex;

    TestQueue(TestRam ram, int index) {
        this.ram = ram;
        this.index = index;
        descriptors = ram.allocate(RingLayout.descriptorBytes(SIZE));
        available = ram.allocate(RingLayout.driverBytes(SIZE, 0));
        used = ram.allocate(RingLayout.deviceBytes(SIZE, 0));
        driverStartsAnew();
    }

    /** The driver creates a new queue in the memory, as after a reboot. */
    void driverStartsAnew() {
        ram.at(available, RingLayout.driverBytes(SIZE, 0)).fill((byte) 0);
        ram.at(used, RingLayout.deviceBytes(SIZE, 0)).fill((byte) 0);
        nextDescriptor = 0;
        availableIndex = 0;
    }

    /** The device's side, from this position on. */
    Virtqueue device(int base) {
        return Virtqueue.create(new VirtqueueSetup(
                index,
                SIZE,
                RingFeatures.VERSION_1,
                ram.memory(),
                ram.area(descriptors, RingLayout.descriptorBytes(SIZE)),
                ram.area(available, RingLayout.driverBytes(SIZE, 0)),
                ram.area(used, RingLayout.deviceBytes(SIZE, 0)),
                base,
                -1,
                null));
    }

    /** Copies bytes into guest memory, for the device to read. */
    Piece readable(byte[] bytes) {
        long address = ram.allocate(bytes.length);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, ram.at(address, bytes.length), 0, bytes.length);
        return new Piece(address, bytes.length, false);
    }

    static Piece writable(long address, long length) {
        return new Piece(address, length, true);
    }

    static byte[] littleEndian(int... numbers) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
        for (int number : numbers) {
            bytes.putInt(number);
        }
        return bytes.array();
    }

    /** Makes a chain available and returns its head. */
    int add(Piece... pieces) {
        return add(List.of(pieces));
    }

    int add(List<Piece> pieces) {
        MemorySegment table = ram.at(descriptors, RingLayout.descriptorBytes(SIZE));
        int head = nextDescriptor;
        for (int i = 0; i < pieces.size(); i++) {
            Piece piece = pieces.get(i);
            boolean more = i + 1 < pieces.size();
            long at = 16L * nextDescriptor;
            nextDescriptor = (nextDescriptor + 1) % SIZE;
            table.set(U64, at, piece.address());
            table.set(U32, at + 8, (int) piece.length());
            table.set(U16, at + 12, (short) ((piece.writable() ? WRITE : 0) | (more ? NEXT : 0)));
            table.set(U16, at + 14, (short) nextDescriptor);
        }
        MemorySegment ring = ram.at(available, RingLayout.driverBytes(SIZE, 0));
        ring.set(U16, 4 + 2L * (availableIndex % SIZE), (short) head);
        availableIndex = availableIndex + 1 & 0xffff;
        ring.set(U16, 2, (short) availableIndex);
        return head;
    }

    int addPfns(int... pfns) {
        return add(readable(littleEndian(pfns)));
    }

    /** Restores the guest's memory to its state before the last chain returned. */
    void takeBackLast() {
        MemorySegment ring = ram.at(used, RingLayout.deviceBytes(SIZE, 0));
        ring.set(U16, 2, (short) (ring.get(U16, 2) - 1));
    }

    /** The reported numbers of written bytes, of all chains that the device has returned, in order. */
    List<Integer> usedLengths() {
        MemorySegment ring = ram.at(used, RingLayout.deviceBytes(SIZE, 0));
        List<Integer> lengths = new ArrayList<>();
        for (int i = 0; i < used().size(); i++) {
            lengths.add(ring.get(U32, 4 + 8L * (i % SIZE) + 4));
        }
        return lengths;
    }

    /** The heads of all chains that the device has returned, in order. */
    List<Integer> used() {
        MemorySegment ring = ram.at(used, RingLayout.deviceBytes(SIZE, 0));
        int count = ring.get(U16, 2) & 0xffff;
        List<Integer> heads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            heads.add(ring.get(U32, 4 + 8L * (i % SIZE)));
        }
        return heads;
    }
}
