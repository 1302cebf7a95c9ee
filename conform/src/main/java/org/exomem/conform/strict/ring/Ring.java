package org.exomem.conform.strict.ring;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.OptionalInt;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.EventFd;
import org.jspecify.annotations.Nullable;

/** A ring, with what the front-end has set up so far. For one thread. */
public final class Ring implements AutoCloseable {
    private final int index;
    private OptionalInt size = OptionalInt.empty();
    private OptionalInt base = OptionalInt.empty();
    private Optional<RingAddresses> addresses = Optional.empty();
    private @Nullable EventFd kick;
    private @Nullable EventFd call;
    private boolean kickGiven;
    private boolean enabled;
    private @Nullable DeviceQueue queue;
    private Optional<String> fault = Optional.empty();
    private final Deque<Held> held = new ArrayDeque<>();

    /**
     * A chain that was taken and not used.
     *
     * @param since nanoTime at which it was taken
     */
    public record Held(Chain chain, long since) {}

    public Ring(int index) {
        this.index = index;
    }

    public int index() {
        return index;
    }

    public OptionalInt size() {
        return size;
    }

    public void setSize(int entries) {
        size = OptionalInt.of(entries);
    }

    public OptionalInt base() {
        return base;
    }

    public void setBase(int position) {
        base = OptionalInt.of(position);
    }

    public Optional<RingAddresses> addresses() {
        return addresses;
    }

    public void setAddresses(RingAddresses where) {
        addresses = Optional.of(where);
    }

    public boolean isEnabled() {
        return enabled;
    }

    public void setEnabled(boolean now) {
        enabled = now;
    }

    /** True if SET_VRING_KICK came after the ring was last stopped. */
    public boolean isKickGiven() {
        return kickGiven;
    }

    public @Nullable EventFd kick() {
        return kick;
    }

    /** Takes the descriptor over; null if the device must poll. */
    public void setKick(@Nullable EventFd event) {
        close(kick);
        kick = event;
        kickGiven = true;
    }

    public @Nullable EventFd call() {
        return call;
    }

    /** Takes the descriptor over; null if the driver polls. */
    public void setCall(@Nullable EventFd event) {
        close(call);
        call = event;
    }

    /** The device's side while the ring runs; empty while it is stopped, or can't run. */
    public Optional<DeviceQueue> queue() {
        return Optional.ofNullable(queue);
    }

    /** Why no more chains can be taken from it; empty while they can. */
    public Optional<String> fault() {
        return fault;
    }

    public void setFault(String why) {
        fault = Optional.of(why);
    }

    /** Chains that were taken and not used, in the order of their arrival. */
    public Deque<Held> held() {
        return held;
    }

    /** True if the front-end has set everything that a ring needs to run. */
    public boolean isComplete() {
        return size.isPresent() && base.isPresent() && addresses.isPresent() && kickGiven;
    }

    /**
     * Starts the ring, if all its parts are in guest memory.
     *
     * @return why it can't start; empty if it runs
     */
    public Optional<String> start(GuestMemory memory, long features) {
        if (!isComplete()) {
            return Optional.of("not all of its addresses, size and base were set");
        }
        int entries = size.orElseThrow();
        boolean packed = (features & Features.RING_PACKED) != 0;
        if (entries < 1 || entries > 1 << 15 || !packed && Integer.bitCount(entries) != 1) {
            return Optional.of("it has " + entries + " entries");
        }
        RingAddresses where = addresses.orElseThrow();
        MemorySegment descriptors = memory.user(where.descriptors(), (long) Descriptor.SIZE * entries);
        MemorySegment driver =
                memory.user(where.available(), packed ? 4 : SplitQueue.availableBytes(entries, features));
        MemorySegment device = memory.user(where.used(), packed ? 4 : SplitQueue.usedBytes(entries, features));
        if (descriptors == null || driver == null || device == null) {
            return Optional.of("not all of it is in guest memory");
        }
        if (((descriptors.address() | driver.address() | device.address()) & 1) != 0) {
            return Optional.of("it is at an odd address");
        }
        queue = DeviceQueue.of(memory, entries, base.orElseThrow(), features, descriptors, driver, device);
        fault = Optional.empty();
        return Optional.empty();
    }

    /** Stops the ring, and returns its position. All chains that were taken should have been used before. */
    public int stop() {
        int position = queue == null ? base.orElse(0) : queue.position();
        queue = null;
        held.clear();
        kickGiven = false;
        close(kick);
        kick = null;
        return position;
    }

    /** Calls the driver if there is a call descriptor. */
    public void callDriver() {
        if (call != null) {
            call.signal();
        }
    }

    private static void close(@Nullable EventFd event) {
        if (event != null) {
            event.close();
        }
    }

    @Override
    public void close() {
        close(kick);
        close(call);
        queue = null;
    }

    @Override
    public String toString() {
        return "ring " + index;
    }
}
