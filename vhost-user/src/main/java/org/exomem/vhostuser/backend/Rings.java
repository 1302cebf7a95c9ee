package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.memory.PagesLate;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.ProtocolFeature;
import org.exomem.vhostuser.protocol.RingAddresses;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.RingArea;
import org.exomem.vhostuser.virtqueue.RingLayout;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.exomem.vhostuser.virtqueue.VirtqueueSetup;
import org.jspecify.annotations.Nullable;

/** All rings of a device in one session: resolves the front-end's settings, starts and stops rings. */
final class Rings {
    private static final long NOT_LOGGED = -1;

    private final VhostUserDevice device;
    private final GuestMemory memory;
    private final Negotiation negotiation;
    private final List<Ring> rings = new ArrayList<>();
    private @Nullable InflightBuffer inflight;

    Rings(VhostUserDevice device, GuestMemory memory, Negotiation negotiation, EventLoop loop, Consumer<Ring> process) {
        this.device = device;
        this.memory = memory;
        this.negotiation = negotiation;
        for (int i = 0; i < device.maxQueues(); i++) {
            rings.add(new Ring(i, loop, process));
        }
    }

    Ring get(int index) {
        // VHU-RING-11
        if (index < 0 || index >= rings.size()) {
            throw new FrontEndFault("queue " + Integer.toUnsignedString(index) + " does not exist; the device has "
                    + rings.size() + " queues");
        }
        return rings.get(index);
    }

    List<Ring> all() {
        return rings;
    }

    boolean anyStarted() {
        for (Ring ring : rings) {
            if (ring.isStarted()) {
                return true;
            }
        }
        return false;
    }

    /** True while a started ring is disabled: a front-end that stops or starts a device does so ring by ring. */
    boolean anyStartedIsDisabled() {
        for (Ring ring : rings) {
            if (ring.isStarted() && !ring.isEnabled()) {
                return true;
            }
        }
        return false;
    }

    void setSize(int index, int size) {
        Ring ring = requireStopped("SET_VRING_NUM", index);
        // VHU-RING-12; whether it must be a power of two is known at the start
        if (size < 1 || size > RingLayout.MAX_SIZE) {
            throw new FrontEndFault("SET_VRING_NUM gives queue " + index + " " + Integer.toUnsignedString(size)
                    + " entries; must be 1 to " + RingLayout.MAX_SIZE);
        }
        ring.setSize(size);
    }

    void setBase(int index, int base) {
        requireStopped("SET_VRING_BASE", index).setBase(base);
    }

    private Ring requireStopped(String request, int index) {
        Ring ring = get(index);
        if (ring.isStarted()) {
            throw new FrontEndFault(request + " came while queue " + index + " was started");
        }
        return ring;
    }

    /** Sets the addresses. A running ring is moved, which is also how logging of its used ring begins and ends. */
    void setAddresses(RingAddresses addresses) {
        Ring ring = get(addresses.index());
        RingAddresses before = ring.addresses();
        ring.setAddresses(addresses);
        try {
            relocate(ring);
        } catch (FrontEndFault e) {
            if (before != null) {
                ring.setAddresses(before);
            }
            throw e;
        }
    }

    /**
     * Resolves all running rings in memory that has changed. A front-end changes regions one by one, so that the region of a
     * ring may be missing for a while: the ring waits until it is back (VHU-MEM-11).
     */
    void relocateAll() {
        for (Ring ring : rings) {
            try {
                relocate(ring);
            } catch (FrontEndFault e) {
                ring.setMemoryMissing(true);
            }
        }
    }

    boolean anyMemoryMissing() {
        for (Ring ring : rings) {
            if (ring.isMemoryMissing()) {
                return true;
            }
        }
        return false;
    }

    /** The number of broken rings. */
    int broken() {
        int count = 0;
        for (Ring ring : rings) {
            if (ring.isBroken()) {
                count++;
            }
        }
        return count;
    }

    boolean noneBroken() {
        for (Ring ring : rings) {
            if (ring.isBroken()) {
                return false;
            }
        }
        return true;
    }

    private void relocate(Ring ring) {
        Virtqueue queue = ring.queue();
        if (queue != null) {
            try {
                VirtqueueSetup setup = setup(ring);
                requireHere(setup);
                queue.relocate(setup.descriptors(), setup.driver(), setup.device());
                queue.logUsedWritesAt(setup.usedLogAddress());
                ring.setMemoryMissing(false);
            } catch (PagesLate e) {
                // As if it were removed: tried again when pages have arrived.
                ring.setMemoryMissing(true);
            } catch (IllegalArgumentException e) {
                throw new FrontEndFault("queue " + ring.index() + " can't continue: " + e.getMessage());
            }
        }
    }

    /** Uses this memory to track chains in flight, from the next start of each ring on. */
    void trackInflight(InflightBuffer buffer) {
        if (anyStarted()) {
            buffer.close();
            throw new FrontEndFault("SET_INFLIGHT_FD changes in-flight memory while queues are started");
        }
        closeInflight();
        inflight = buffer;
    }

    /**
     * Starts a ring, or gives a started ring another notifier. If pages of the ring have not arrived yet, it starts when
     * {@link #startLate} finds them present.
     *
     * @throws DriverFault if the driver left an invalid position in the ring; the ring stays stopped
     */
    void setKick(int index, @Nullable Fd fd) throws LinuxException {
        Ring ring = get(index);
        EventFd notifier = notifier("SET_VRING_KICK", fd);
        Virtqueue queue;
        try {
            queue = ring.queue() == null ? create(ring) : null;
        } catch (PagesLate e) {
            ring.setKick(notifier);
            ring.letStartWait();
            return;
        } catch (DriverFault e) {
            ring.setKick(notifier);
            throw e;
        }
        ring.setKick(notifier);
        if (queue != null) {
            ring.start(queue);
            device.queueStarted(queue);
        }
    }

    /**
     * Starts a ring whose start waits, if its pages are present.
     *
     * @return false if it still waits, for pages or for memory that the front-end has removed (VHU-MEM-11)
     * @throws DriverFault as {@link #setKick}
     * @throws FrontEndFault if the ring can't be started
     */
    boolean startLate(Ring ring) {
        VirtqueueSetup setup;
        try {
            setup = setup(ring);
            requireHere(setup);
        } catch (PagesLate | FrontEndFault e) {
            return false;
        }
        Virtqueue queue;
        try {
            queue = create(ring, setup);
        } catch (DriverFault | FrontEndFault e) {
            ring.stop();
            throw e;
        }
        ring.start(queue);
        device.queueStarted(queue);
        return true;
    }

    /** VHU-PST-7: all memory of a queue, because it is read at the start, and written at any time. */
    private void requireHere(VirtqueueSetup setup) {
        for (RingArea area : List.of(setup.descriptors(), setup.driver(), setup.device())) {
            memory.requireHere(area.guestAddress(), area.bytes().byteSize());
        }
    }

    void setCall(int index, @Nullable Fd fd) throws LinuxException {
        get(index).setCall(notifier("SET_VRING_CALL", fd));
    }

    void setErr(int index, @Nullable Fd fd) throws LinuxException {
        get(index).setErr(notifier("SET_VRING_ERR", fd));
    }

    static @Nullable EventFd notifier(String request, @Nullable Fd fd) throws LinuxException {
        if (fd == null) {
            return null;
        }
        EventFd notifier = EventFd.adopt(fd);
        if (notifier == null) {
            throw new FrontEndFault(
                    request + " came with a descriptor that is neither an eventfd nor a pipe: " + fd.description());
        }
        return notifier;
    }

    private Virtqueue create(Ring ring) {
        VirtqueueSetup setup;
        try {
            setup = setup(ring);
        } catch (IllegalArgumentException e) {
            throw cantStart(ring, e);
        }
        requireHere(setup);
        return create(ring, setup);
    }

    private static Virtqueue create(Ring ring, VirtqueueSetup setup) {
        try {
            return Virtqueue.create(setup);
        } catch (IllegalArgumentException e) {
            throw cantStart(ring, e);
        }
    }

    private static FrontEndFault cantStart(Ring ring, IllegalArgumentException why) {
        return new FrontEndFault("queue " + ring.index() + " can't start: " + why.getMessage());
    }

    private VirtqueueSetup setup(Ring ring) {
        int size = ring.size();
        RingAddresses addresses = ring.addresses();
        if (size == 0 || addresses == null) {
            throw new FrontEndFault("queue " + ring.index() + " was started without "
                    + (size == 0 ? "SET_VRING_NUM" : "SET_VRING_ADDR"));
        }
        long features = negotiation.acknowledged();
        if (!RingLayout.isValidSize(size, features)) {
            throw new FrontEndFault(
                    "queue " + ring.index() + " has " + size + " entries; a split queue must have a power of two");
        }
        MemorySegment region = inflight == null ? null : inflight.region(ring.index(), size);
        return new VirtqueueSetup(
                ring.index(),
                size,
                features,
                memory,
                area(
                        ring,
                        "descriptor area",
                        addresses.descriptor(),
                        RingLayout.descriptorBytes(size),
                        RingLayout.descriptorAlignment()),
                area(
                        ring,
                        "driver area",
                        addresses.available(),
                        RingLayout.driverBytes(size, features),
                        RingLayout.driverAlignment(features)),
                area(
                        ring,
                        "device area",
                        addresses.used(),
                        RingLayout.deviceBytes(size, features),
                        RingLayout.deviceAlignment(features)),
                ring.base(),
                addresses.logsUsedRing() ? addresses.log() : NOT_LOGGED,
                region);
    }

    private RingArea area(Ring ring, String name, long address, long bytes, long alignment) {
        // VHU-MEM-8
        boolean guestAddresses = negotiation.has(ProtocolFeature.GPA_ADDRESSES);
        MemoryRegion region = guestAddresses ? memory.find(address) : memory.findUser(address);
        long offset = region == null ? 0 : address - (guestAddresses ? region.guestAddress() : region.userAddress());
        if (region == null || bytes > region.size() - offset) {
            throw new FrontEndFault(String.format(
                    "the %s of queue %d (address %#x, %d bytes) is not in one region of guest memory",
                    name, ring.index(), address, bytes));
        }
        if ((address & (alignment - 1)) != 0) {
            throw new FrontEndFault(String.format(
                    "the %s of queue %d at %#x is not aligned to %d bytes", name, ring.index(), address, alignment));
        }
        return new RingArea(region.guestAddress() + offset, region.segment().asSlice(offset, bytes));
    }

    /** Stops a ring after the device has given back its chains; returns its position (VHU-RING-3). */
    int stop(int index) {
        Ring ring = get(index);
        stop(ring, true);
        return ring.base();
    }

    /** Stops and disables all rings; nothing is in flight any more. */
    void reset() {
        for (Ring ring : rings) {
            stop(ring, false);
            ring.setEnabled(false);
        }
        if (inflight != null) {
            inflight.clear();
        }
    }

    private void stop(Ring ring, boolean completing) {
        Virtqueue queue = ring.queue();
        if (queue != null) {
            device.queueStopped(queue, completing);
            if (queue.needsCall()) {
                ring.signalCall();
            }
        }
        // Also a ring whose queue still waits for its pages.
        ring.stop();
    }

    /** Closes everything without touching guest memory, which may be gone. */
    void close() {
        try {
            for (Ring ring : rings) {
                Virtqueue queue = ring.queue();
                ring.close();
                if (queue != null) {
                    device.queueStopped(queue, false);
                }
            }
        } finally {
            rings.forEach(Ring::close);
            closeInflight();
        }
    }

    private void closeInflight() {
        if (inflight != null) {
            inflight.close();
            inflight = null;
        }
    }
}
