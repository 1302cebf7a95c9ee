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

/** A packed ring (VIRTIO, 2.8). */
public final class PackedQueue extends DeviceQueue {
    private static final VarHandle SHORT =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final int ENABLE = 0;
    private static final int DISABLE = 1;
    private static final int AT_DESCRIPTOR = 2;
    private static final int WRAP = 1 << 15;

    private final MemorySegment ring;
    private final MemorySegment driverArea;
    private final MemorySegment deviceArea;
    private int next;
    private boolean nextWrap;
    private int used;
    private boolean usedWrap;
    private int calledUsed;
    private boolean calledWrap;

    PackedQueue(
            GuestMemory memory,
            int size,
            int base,
            long features,
            MemorySegment ring,
            MemorySegment driverArea,
            MemorySegment deviceArea) {
        super(memory, size, features);
        this.ring = ring;
        this.driverArea = driverArea;
        this.deviceArea = deviceArea;
        this.next = (base & 0x7fff) % size;
        this.nextWrap = (base & WRAP) != 0;
        this.used = (base >>> 16 & 0x7fff) % size;
        this.usedWrap = base < 0;
        this.calledUsed = used;
        this.calledWrap = usedWrap;
    }

    private int flags(int place) {
        // Acquire: the rest of the descriptor must be read after the flags that make it valid.
        return Short.toUnsignedInt((short) SHORT.getAcquire(ring, (long) Descriptor.SIZE * place + 14));
    }

    private static boolean isAvailable(int flags, boolean wrap) {
        return ((flags & Descriptor.AVAIL) != 0) == wrap && ((flags & Descriptor.USED) != 0) != wrap;
    }

    @Override
    public Taken take() {
        List<Chain> chains = new ArrayList<>();
        int slots = 0;
        while (isAvailable(flags(next), nextWrap)) {
            Chain chain = chain(next, nextWrap, taken++);
            int length = chain.descriptors().size();
            slots += length;
            if (slots > size) {
                return new Taken(chains, Optional.of("more than " + size + " descriptors were made available at once"));
            }
            chains.add(chain);
            inFlight++;
            next += length;
            if (next >= size) {
                next -= size;
                nextWrap = !nextWrap;
            }
        }
        return new Taken(chains, Optional.empty());
    }

    private Chain chain(int from, boolean wrapAtFirst, long number) {
        List<Descriptor> found = new ArrayList<>();
        int at = from;
        boolean wrap = wrapAtFirst;
        while (true) {
            int flags = flags(at);
            Descriptor descriptor = Descriptor.packed(ring, at);
            if (!found.isEmpty() && !isAvailable(flags, wrap)) {
                return new Chain(
                        found.getLast().link(),
                        found,
                        List.of(),
                        Optional.of("its descriptor " + descriptor + " is not available though the first is"),
                        number);
            }
            found.add(descriptor);
            if (!descriptor.has(Descriptor.NEXT)) {
                List<Descriptor> table = descriptor.has(Descriptor.INDIRECT) ? table(descriptor) : List.of();
                return new Chain(descriptor.link(), found, table, Optional.empty(), number);
            }
            if (found.size() == size) {
                return new Chain(
                        descriptor.link(),
                        found,
                        List.of(),
                        Optional.of("it has more than " + size + " descriptors, which is a loop"),
                        number);
            }
            if (++at == size) {
                at = 0;
                wrap = !wrap;
            }
        }
    }

    @Override
    public boolean isPending() {
        return isAvailable(flags(next), nextWrap);
    }

    @Override
    public Chain again(Chain chain) {
        Descriptor first = chain.descriptors().getFirst();
        return chain(first.place(), first.has(Descriptor.AVAIL), chain.number());
    }

    @Override
    public void use(Chain chain, long written) {
        long at = (long) Descriptor.SIZE * used;
        ring.set(LE_INT, at + 8, (int) written);
        ring.set(LE_SHORT, at + 12, (short) chain.id());
        int flags = (usedWrap ? Descriptor.AVAIL | Descriptor.USED : 0) | (written > 0 ? Descriptor.WRITE : 0);
        // Release: the driver must see length and id before the flags that make them valid.
        SHORT.setRelease(ring, at + 14, (short) flags);
        used += chain.descriptors().size();
        if (used >= size) {
            used -= size;
            usedWrap = !usedWrap;
        }
        inFlight--;
    }

    @Override
    public boolean callWanted() {
        VarHandle.fullFence();
        int before = calledUsed;
        boolean beforeWrap = calledWrap;
        calledUsed = used;
        calledWrap = usedWrap;
        int flags = Short.toUnsignedInt((short) SHORT.getAcquire(driverArea, 2L)) & 3;
        if (flags != AT_DESCRIPTOR) {
            return flags == ENABLE && (before != used || beforeWrap != usedWrap);
        }
        int event = Short.toUnsignedInt(driverArea.get(LE_SHORT, 0));
        int offset = (event & 0x7fff) + (((event & WRAP) != 0) == beforeWrap ? 0 : size);
        int now = used + (usedWrap == beforeWrap ? 0 : size);
        return offset >= before && offset < now;
    }

    @Override
    public void wantKicks() {
        if (has(Features.EVENT_IDX)) {
            deviceArea.set(LE_SHORT, 0, (short) (next | (nextWrap ? WRAP : 0)));
            SHORT.setRelease(deviceArea, 2L, (short) AT_DESCRIPTOR);
        } else {
            deviceArea.set(LE_SHORT, 2, (short) ENABLE);
        }
        VarHandle.fullFence();
    }

    @Override
    public void refuseKicks() {
        deviceArea.set(LE_SHORT, 2, (short) DISABLE);
        VarHandle.fullFence();
    }

    @Override
    public int position() {
        return next | (nextWrap ? WRAP : 0) | used << 16 | (usedWrap ? WRAP << 16 : 0);
    }

    @Override
    public String state() {
        return "next place " + next + " with wrap counter " + (nextWrap ? 1 : 0) + ", flags there 0x"
                + Integer.toHexString(flags(next));
    }
}
