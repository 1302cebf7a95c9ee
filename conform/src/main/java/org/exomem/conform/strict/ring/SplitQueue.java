package org.exomem.conform.strict.ring;

import static org.exomem.conform.strict.memory.GuestMemory.LE_INT;
import static org.exomem.conform.strict.memory.GuestMemory.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conformance.frontend.Features;

/** A split ring (VIRTIO, 2.7). */
public final class SplitQueue extends DeviceQueue {
    private static final VarHandle SHORT =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final int NO_CALL = 1;
    private static final int NO_KICK = 1;

    private final MemorySegment descriptors;
    private final MemorySegment available;
    private final MemorySegment used;
    private int next;
    private int usedIndex;
    private int calledIndex;

    SplitQueue(
            GuestMemory memory,
            int size,
            int base,
            long features,
            MemorySegment descriptors,
            MemorySegment available,
            MemorySegment used) {
        super(memory, size, features);
        this.descriptors = descriptors;
        this.available = available;
        this.used = used;
        this.next = base & 0xffff;
        this.usedIndex = Short.toUnsignedInt(used.get(LE_SHORT, 2));
        this.calledIndex = usedIndex;
    }

    /** The size of the available ring in bytes. */
    static long availableBytes(int size, long features) {
        return 4 + 2L * size + ((features & Features.EVENT_IDX) != 0 ? 2 : 0);
    }

    /** The size of the used ring in bytes. */
    static long usedBytes(int size, long features) {
        return 4 + 8L * size + ((features & Features.EVENT_IDX) != 0 ? 2 : 0);
    }

    private int availableIndex() {
        // Acquire: entries and descriptors must be read after the index that makes them valid.
        return Short.toUnsignedInt((short) SHORT.getAcquire(available, 2L));
    }

    /** The flags of the available ring, as the driver has set them. */
    public int driverFlags() {
        return Short.toUnsignedInt(available.get(LE_SHORT, 0));
    }

    /** The flags of the used ring, which the driver clears once and the device sets. */
    public int deviceFlags() {
        return Short.toUnsignedInt(used.get(LE_SHORT, 0));
    }

    @Override
    public Taken take() {
        List<Chain> chains = new ArrayList<>();
        int index = availableIndex();
        int more = (index - next) & 0xffff;
        if (more + inFlight > size) {
            return new Taken(
                    chains,
                    Optional.of("the index of the available ring went from " + next + " to " + index + " while "
                            + inFlight + " of " + size + " are in flight"));
        }
        for (int i = 0; i < more; i++) {
            int head = Short.toUnsignedInt(available.get(LE_SHORT, 4 + 2L * (next % size)));
            chains.add(chain(head, taken++));
            inFlight++;
            next = (next + 1) & 0xffff;
        }
        return new Taken(chains, Optional.empty());
    }

    private Chain chain(int head, long number) {
        List<Descriptor> found = new ArrayList<>();
        int at = head;
        while (true) {
            if (at >= size) {
                return new Chain(
                        head,
                        found,
                        List.of(),
                        Optional.of("descriptor " + at + " is outside of the table of " + size),
                        number);
            }
            if (found.size() == size) {
                return new Chain(
                        head,
                        found,
                        List.of(),
                        Optional.of("it has more than " + size + " descriptors, which is a loop"),
                        number);
            }
            Descriptor descriptor = Descriptor.split(descriptors, at);
            found.add(descriptor);
            if (descriptor.has(Descriptor.INDIRECT)) {
                return withTable(head, found, table(descriptor), number);
            }
            if (!descriptor.has(Descriptor.NEXT)) {
                return new Chain(head, found, List.of(), Optional.empty(), number);
            }
            at = descriptor.link();
        }
    }

    /** Follows the links in a table from its first entry. */
    private Chain withTable(int head, List<Descriptor> inRing, List<Descriptor> table, long number) {
        List<Descriptor> found = new ArrayList<>();
        int at = 0;
        while (at < table.size() && found.size() <= size) {
            Descriptor descriptor = table.get(at);
            found.add(descriptor);
            if (!descriptor.has(Descriptor.NEXT)) {
                return new Chain(head, inRing, found, Optional.empty(), number);
            }
            at = descriptor.link();
        }
        String why = found.size() > size
                ? "its table has a loop, or more than " + size + " descriptors"
                : "its table is not in guest memory, or ends at a descriptor with NEXT";
        return new Chain(head, inRing, found, Optional.of(why), number);
    }

    @Override
    public boolean isPending() {
        return availableIndex() != next;
    }

    @Override
    public Chain again(Chain chain) {
        return chain(chain.id(), chain.number());
    }

    @Override
    public void use(Chain chain, long written) {
        long entry = 4 + 8L * (usedIndex % size);
        used.set(LE_INT, entry, chain.id());
        used.set(LE_INT, entry + 4, (int) written);
        usedIndex = (usedIndex + 1) & 0xffff;
        // Release: the driver must see the entry before the index that makes it valid.
        SHORT.setRelease(used, 2L, (short) usedIndex);
        inFlight--;
    }

    @Override
    public boolean callWanted() {
        VarHandle.fullFence();
        int before = calledIndex;
        calledIndex = usedIndex;
        if (!has(Features.EVENT_IDX)) {
            return before != usedIndex && (driverFlags() & NO_CALL) == 0;
        }
        int event = Short.toUnsignedInt((short) SHORT.getAcquire(available, 4 + 2L * size));
        return ((usedIndex - event - 1) & 0xffff) < ((usedIndex - before) & 0xffff);
    }

    @Override
    public void wantKicks() {
        if (has(Features.EVENT_IDX)) {
            SHORT.setRelease(used, 4 + 8L * size, (short) next);
        } else {
            used.set(LE_SHORT, 0, (short) 0);
        }
        // The driver must see the request for kicks before the device reads the index once more.
        VarHandle.fullFence();
    }

    @Override
    public void refuseKicks() {
        if (!has(Features.EVENT_IDX)) {
            used.set(LE_SHORT, 0, (short) NO_KICK);
        }
        // With EVENT_IDX, the event stays at an index that the driver has passed.
        VarHandle.fullFence();
    }

    @Override
    public int position() {
        return next;
    }

    @Override
    public String state() {
        return "available index " + availableIndex() + ", taken up to " + next + ", used index " + usedIndex;
    }
}
