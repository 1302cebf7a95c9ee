package org.exomem.fuzz;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.exomem.vhostuser.virtqueue.RingFeatures;
import org.exomem.vhostuser.virtqueue.RingLayout;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.exomem.vhostuser.virtqueue.VirtqueueSetup;

/** A split ring with a driver that obeys the rules of rings, for harnesses of devices. */
final class QueueDriver {
    static final int SIZE = 32;
    /** The size of a ring in guest memory, in bytes. */
    static final long BYTES = 0x400;

    private static final long DRIVER = 16L * SIZE;
    private static final long DEVICE = DRIVER + 0x80;

    /** A buffer of a chain. */
    record Piece(long address, int length, boolean writable) {}

    /** A chain that the device has returned. */
    record Used(int head, int written) {}

    private final FuzzedMemory memory;
    private final int index;
    private final long at;
    private int available;
    private int used;
    /** Free descriptors, in the order of their return: a device may keep a chain while it returns later ones. */
    private final Deque<Integer> free = new ArrayDeque<>();
    /** The descriptors of each chain that the device has, by its head. */
    private final Map<Integer, List<Integer>> chains = new HashMap<>();

    QueueDriver(FuzzedMemory memory, int index, long at) {
        this.memory = memory;
        this.index = index;
        this.at = at;
        freeAll();
    }

    private void freeAll() {
        chains.clear();
        free.clear();
        for (int i = 0; i < SIZE; i++) {
            free.add(i);
        }
    }

    /** The driver initialises the ring again, as after a reboot. */
    void startAnew() {
        for (long i = 0; i < BYTES; i++) {
            memory.write8(at + i, 0);
        }
        available = 0;
        used = 0;
        freeAll();
    }

    /** Creates the device's side at a position. */
    Virtqueue device(int base) {
        return Virtqueue.create(new VirtqueueSetup(
                index,
                SIZE,
                RingFeatures.VERSION_1,
                memory.guest(),
                memory.area(at, RingLayout.descriptorBytes(SIZE)),
                memory.area(at + DRIVER, RingLayout.driverBytes(SIZE, 0)),
                memory.area(at + DEVICE, RingLayout.deviceBytes(SIZE, 0)),
                base,
                -1,
                null));
    }

    /** The number of buffers for which the ring has room. */
    int room() {
        return free.size();
    }

    /** Makes a chain available. Returns its head, or -1 if there is no room. */
    int add(List<Piece> pieces) {
        if (pieces.isEmpty() || pieces.size() > free.size()) {
            return -1;
        }
        List<Integer> descriptors = new ArrayList<>();
        for (int i = 0; i < pieces.size(); i++) {
            descriptors.add(free.remove());
        }
        int head = descriptors.getFirst();
        chains.put(head, descriptors);
        for (int i = 0; i < pieces.size(); i++) {
            Piece piece = pieces.get(i);
            boolean last = i + 1 == pieces.size();
            long entry = at + 16L * descriptors.get(i);
            memory.write64(entry, piece.address);
            memory.write32(entry + 8, piece.length);
            memory.write16(entry + 12, (piece.writable ? ExpectedChain.WRITE : 0) | (last ? 0 : ExpectedChain.NEXT));
            memory.write16(entry + 14, last ? 0 : descriptors.get(i + 1));
        }
        memory.write16(at + DRIVER + 4 + 2L * (available % SIZE), head);
        available = available + 1 & 0xffff;
        memory.write16(at + DRIVER + 2, available);
        return head;
    }

    /** The chains that the device has returned since the last call. The ring must have no other changes. */
    List<Used> takeUsed() {
        memory.acceptAnything(at + DEVICE, RingLayout.deviceBytes(SIZE, 0));
        int index = memory.expected16(at + DEVICE + 2);
        BrokenRule.unless((index - used & 0xffff) <= (available - used & 0xffff), "more was used than was available");
        List<Used> all = new ArrayList<>();
        while (used != index) {
            long entry = at + DEVICE + 4 + 8L * (used % SIZE);
            int head = (int) (memory.expected64(entry) & 0xffff_ffffL);
            List<Integer> descriptors = chains.remove(head);
            if (descriptors == null) {
                throw new BrokenRule("what was used was not available");
            }
            free.addAll(descriptors);
            all.add(new Used(head, (int) (memory.expected64(entry) >>> 32)));
            used = used + 1 & 0xffff;
        }
        return all;
    }

    /** The number of chains that the device has, or could take. */
    int outstanding() {
        return available - used & 0xffff;
    }
}
