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
 * time. The device may run anywhere.
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
     * Creates a ring of the negotiated kind, allocated from {@code ram}.
     *
     * @param size entries, 1 to 32768; a power of two unless RING_PACKED is among the features
     */
    public static RingDriver of(GuestRam ram, int index, int size, long features) throws LinuxException {
        return (features & Features.RING_PACKED) != 0
                ? new PackedDriver(ram, index, size, features)
                : new SplitDriver(ram, index, size, features);
    }

    /** Sets an observer for this ring. */
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

    /** The eventfd that the driver writes to notify the device. */
    public final EventFd kickFd() {
        return kick;
    }

    /** The eventfd that the device writes to notify the driver. */
    public final EventFd callFd() {
        return call;
    }

    /** The ring's addresses, as the front-end's own addresses. The log address is the guest address. */
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

    /** The position for SET_VRING_BASE at which the device must continue if it has used all available chains. */
    public abstract int base();

    /**
     * The position for SET_VRING_BASE for the successor of a device that was killed without a record of what it had
     * taken: after the chains that have returned. All used chains must have been polled.
     */
    public abstract int usedBase();

    /**
     * Begins at a position, like the driver of a device that was migrated. Must be called before anything is added.
     *
     * @param base a position from {@link #base}
     */
    public abstract void beginAt(int base);

    /** The number of chains that the device has not returned. */
    public abstract int outstanding();

    /** The number of free descriptors. */
    public abstract int free();

    /**
     * Makes a chain available, without notifying the device.
     *
     * @param chain readable buffers first, then writable ones
     * @return the id with which it will return
     * @throws IllegalStateException if too few descriptors are free
     */
    public abstract int add(List<Buffer> chain);

    /** Makes a chain available through an indirect table, which takes a single descriptor of the ring. */
    public abstract int addIndirect(List<Buffer> chain);

    /** The tables of indirect chains, for tests that write them directly. */
    final IndirectTables tables() {
        return tables;
    }

    /** True if the device wants a notification for what was added since the last call. */
    abstract boolean kickWanted();

    /** Notifies the device if it wants a notification. Returns whether it did. */
    public final boolean kick() {
        boolean wanted = kickWanted();
        if (wanted) {
            kick.signal();
            traffic.kicked(index);
        }
        return wanted;
    }

    /** The next chain that has returned, or null if there is none. */
    public abstract @Nullable Used poll();

    /** Asks the device not to call. It may call nevertheless. */
    public abstract void suppressCalls();

    /** Asks the device to call from now on. */
    public abstract void resumeCalls();

    /** Waits for a chain to return. Sleeps until the device calls. */
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
                throw new SocketTimeoutException("ring " + index
                        + ": the device used no buffer and sent no call within " + limit.toMillis() + " ms");
            }
            call.drain();
        }
    }

    /** Makes one chain available, notifies, and waits until it returns. */
    public final Used transfer(List<Buffer> chain, Duration limit) throws IOException {
        return transfer(add(chain), limit);
    }

    /** Like {@link #transfer}, through an indirect table. */
    public final Used transferIndirect(List<Buffer> chain, Duration limit) throws IOException {
        return transfer(addIndirect(chain), limit);
    }

    private Used transfer(int id, Duration limit) throws IOException {
        kick();
        Used used = await(limit);
        if (used.id() != id) {
            throw new IOException("ring " + index + ": chain " + used.id() + " was used, not chain " + id);
        }
        return used;
    }

    @Override
    public void close() {
        kick.close();
        call.close();
    }
}
