package org.exomem.conformance.guest;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.List;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.EventFd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Poll;
import org.jspecify.annotations.Nullable;

/**
 * The driver's side of one ring, in guest memory of its own, with the eventfds of both directions. For one thread at a
 * time; the device may be anywhere.
 */
public abstract sealed class RingDriver implements AutoCloseable permits SplitDriver, PackedDriver {
    final GuestRam ram;
    final boolean indirect;
    final boolean eventIndex;
    final boolean inOrder;
    private final int index;
    private final int size;
    private final EventFd kick = new EventFd();
    private final EventFd call = new EventFd();
    private final IndirectTables tables;
    private RingTraffic traffic = RingTraffic.UNWATCHED;

    RingDriver(GuestRam ram, int index, int size, long features) throws LinuxException {
        this.ram = ram;
        this.index = index;
        this.size = size;
        this.indirect = (features & Features.INDIRECT_DESC) != 0;
        this.eventIndex = (features & Features.EVENT_IDX) != 0;
        this.inOrder = (features & Features.IN_ORDER) != 0;
        this.tables = new IndirectTables(ram, size);
    }

    /**
     * A ring of the kind that was negotiated, allocated from {@code ram}.
     *
     * @param size entries, 1 to 32768; a power of two unless RING_PACKED is among the features
     */
    public static RingDriver of(GuestRam ram, int index, int size, long features) throws LinuxException {
        return (features & Features.RING_PACKED) != 0
                ? new PackedDriver(ram, index, size, features)
                : new SplitDriver(ram, index, size, features);
    }

    /** From now on, somebody is told of what happens on this ring. */
    public final void watch(RingTraffic watcher) {
        traffic = watcher;
    }

    final RingTraffic traffic() {
        return traffic;
    }

    public final int index() {
        return index;
    }

    public final int size() {
        return size;
    }

    /** What the driver writes to notify the device. */
    public final EventFd kickFd() {
        return kick;
    }

    /** What the device writes to notify the driver. */
    public final EventFd callFd() {
        return call;
    }

    /** Where the ring is, in the front-end's own addresses; logged under its guest address. */
    public final RingAddresses addresses(boolean logged) {
        return new RingAddresses(
                index,
                logged ? RingAddresses.LOG : 0,
                ram.userAddress(descriptors()),
                ram.userAddress(deviceArea()),
                ram.userAddress(driverArea()),
                logged ? deviceArea() : 0);
    }

    /** Like {@link #addresses}, in guest addresses (GPA_ADDRESSES). */
    public final RingAddresses guestAddresses(boolean logged) {
        return new RingAddresses(
                index,
                logged ? RingAddresses.LOG : 0,
                descriptors(),
                deviceArea(),
                driverArea(),
                logged ? deviceArea() : 0);
    }

    /** The guest address of the descriptors. */
    public abstract long descriptors();

    /** The guest address of the available ring, or of a packed ring's driver event suppression. */
    public abstract long driverArea();

    /** The guest address of the used ring, or of a packed ring's device event suppression. */
    public abstract long deviceArea();

    /** The position for SET_VRING_BASE at which the device has to continue if it has used all that is available. */
    public abstract int base();

    /**
     * The position for SET_VRING_BASE at which a device has to continue that was killed and kept no account of what it had
     * taken: behind what has come back. All that the device used must have been polled.
     */
    public abstract int usedBase();

    /**
     * Begins at a position, as the driver of a device does that was moved here; before anything was added.
     *
     * @param base a position as {@link #base} tells it
     */
    public abstract void beginAt(int base);

    /** The number of chains that the device has not given back. */
    public abstract int outstanding();

    /** The number of descriptors that are free. */
    public abstract int free();

    /**
     * Makes a chain available, without notifying the device.
     *
     * @param chain readable buffers first, then writable ones
     * @return the id under which it will come back
     * @throws IllegalStateException if too few descriptors are free
     */
    public abstract int add(List<Buffer> chain);

    /** Makes a chain available through an indirect table, which takes a single descriptor of the ring. */
    public abstract int addIndirect(List<Buffer> chain);

    /** Where the table of an indirect chain was put; for tests that write it themselves. */
    final IndirectTables tables() {
        return tables;
    }

    /** True if the device wants to be notified of what was added since this was last asked. */
    abstract boolean kickWanted();

    /** Notifies the device if it wants to be; returns whether it did. */
    public final boolean kick() {
        boolean wanted = kickWanted();
        if (wanted) {
            kick.signal();
            traffic.kicked(index);
        }
        return wanted;
    }

    /** The next chain that came back, or null if none has. */
    public abstract @Nullable Used poll();

    /** Asks the device not to call; it may call nevertheless. */
    public abstract void suppressCalls();

    /** Asks the device to call from now on. */
    public abstract void resumeCalls();

    /** Waits for a chain to come back, sleeping until the device calls. */
    public final Used await(Duration limit) throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            Used used = poll();
            if (used == null) {
                resumeCalls();
                used = poll();
            }
            if (used != null) {
                return used;
            }
            Duration rest = Duration.ofNanos(Math.max(0, end - System.nanoTime()));
            if (!Poll.readable(call.fd(), rest)) {
                throw new SocketTimeoutException("ring " + index + ": the device used nothing and did not call within "
                        + limit.toMillis() + " ms");
            }
            call.drain();
        }
    }

    /** Makes one chain available, notifies, and waits until it comes back. */
    public final Used transfer(List<Buffer> chain, Duration limit) throws IOException {
        int id = add(chain);
        kick();
        Used used = await(limit);
        if (used.id() != id) {
            throw new IOException("ring " + index + ": chain " + used.id() + " came back, not chain " + id);
        }
        return used;
    }

    @Override
    public void close() {
        kick.close();
        call.close();
    }
}
