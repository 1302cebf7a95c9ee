package org.exomem.conform.strict.ring;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conformance.frontend.Features;

/** The device's side of a running ring. Takes available chains unchecked, even invalid ones. For one thread. */
public abstract sealed class DeviceQueue permits SplitQueue, PackedQueue {
    final GuestMemory memory;
    final int size;
    final long features;
    long taken;
    int inFlight;

    DeviceQueue(GuestMemory memory, int size, long features) {
        this.memory = memory;
        this.size = size;
        this.features = features;
    }

    /**
     * Creates a queue of the kind that was negotiated.
     *
     * @param base the position of SET_VRING_BASE
     */
    static DeviceQueue of(
            GuestMemory memory,
            int size,
            int base,
            long features,
            MemorySegment descriptors,
            MemorySegment driverArea,
            MemorySegment deviceArea) {
        return (features & Features.RING_PACKED) != 0
                ? new PackedQueue(memory, size, base, features, descriptors, driverArea, deviceArea)
                : new SplitQueue(memory, size, base, features, descriptors, driverArea, deviceArea);
    }

    final boolean has(long feature) {
        return (features & feature) != 0;
    }

    public final boolean isPacked() {
        return has(Features.RING_PACKED);
    }

    public final int size() {
        return size;
    }

    /** The number of chains that were taken and not used. */
    public final int inFlight() {
        return inFlight;
    }

    /** The total number of chains that were taken. */
    public final long taken() {
        return taken;
    }

    /**
     * The chains that were taken at once.
     *
     * @param fault what is wrong with the ring itself, so that no more can be taken from it; empty if nothing is
     */
    public record Taken(List<Chain> chains, Optional<String> fault) {}

    /** Takes all available chains. */
    public abstract Taken take();

    /** True if a chain is available that was not taken. */
    public abstract boolean isPending();

    /** Reads a chain from the ring again; the driver should not have changed it. */
    public abstract Chain again(Chain chain);

    /** Returns a chain to the driver. */
    public abstract void use(Chain chain, long written);

    /** Whether the driver wants a call for the chains that were used since the last question. */
    public abstract boolean callWanted();

    /** Asks the driver to notify the device of the next chain. */
    public abstract void wantKicks();

    /** Asks the driver not to notify the device of more chains. */
    public abstract void refuseKicks();

    /** The position for GET_VRING_BASE, if all chains that were taken are used. */
    public abstract int position();

    /** The ring's content at the position where no chain is available, for messages. */
    public abstract String state();

    final List<Descriptor> table(Descriptor indirect) {
        List<Descriptor> all = new ArrayList<>();
        MemorySegment table = memory.guest(indirect.address(), indirect.length());
        int most = (int) Math.min(size + 1L, indirect.length() / Descriptor.SIZE);
        for (int i = 0; table != null && i < most; i++) {
            all.add(isPacked() ? Descriptor.packed(table, i) : Descriptor.split(table, i));
        }
        return all;
    }
}
