package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The packed ring's device side (VIRTIO, "Packed Virtqueues"). */
public final class PackedVirtqueue extends Virtqueue {
    private static final int USED_BASE_SHIFT = 16;

    private final PackedRing ring;
    private final PackedChainReader reader;
    private final @Nullable PackedInflight inflight;
    private final List<PackedInflightRecovery.Pending> resubmissions;
    private final boolean eventIndex;
    private int resubmitted;

    private int availableSlot;
    private boolean availableWrap;
    private int usedSlot;
    private boolean usedWrap;
    /** The slots from the used position to the available one: given by the driver and not returned. */
    private int slotsTaken;
    /** The slots that were used since the last {@link #needsCall}, at most a lap. */
    private int slotsPushed;

    private boolean callOwed;
    private final boolean recovered;

    PackedVirtqueue(VirtqueueSetup setup) {
        super(setup);
        ring = new PackedRing(setup);
        reader = new PackedChainReader(setup);
        eventIndex = setup.has(RingFeatures.EVENT_IDX);
        int size = setup.size();
        PackedPosition available = PackedPosition.of(setup.base(), size);
        PackedPosition used = PackedPosition.of(setup.base() >>> USED_BASE_SHIFT, size);
        MemorySegment region = setup.inflight();
        int entries = region == null ? 0 : InflightRegion.entries(region, size, true);
        recovered = entries > 0;
        if (region != null && recovered) {
            // The front-end can't know the progress of a back-end that died; the region shows it.
            PackedInflightRecovery recovery = new PackedInflightRecovery(region, size, entries, ring);
            used = recovery.used();
            available = used.plus(recovery.slots(), size);
            slotsTaken = slotsBetween(used, available, size);
            resubmissions = recovery.pending();
            inflight = recovery.resume();
        } else {
            // VHU-INF-5, before in-flight memory is initialised: what a queue that can't start left there would count
            // at the next start, in place of the base.
            slotsTaken = slotsBetween(used, available, size);
            resubmissions = List.of();
            inflight = region == null ? null : PackedInflight.initialise(region, size, used);
        }
        availableSlot = available.slot();
        availableWrap = available.wrap();
        usedSlot = used.slot();
        usedWrap = used.wrap();
        // An earlier back-end may have died between a used descriptor and its call; one call too many does no harm.
        callOwed = usedSlot != 0 || !usedWrap;
    }

    private static int slotsBetween(PackedPosition used, PackedPosition available, int size) {
        int slots = available.distanceFrom(used, size);
        if (slots > size) {
            throw new IllegalArgumentException("the base of a packed queue has the available position (" + available
                    + ") before the used position (" + used + ") or more than " + size + " slots after it");
        }
        return slots;
    }

    @Override
    boolean popNext(DescriptorChain chain) {
        chain.begin(this);
        if (resubmitted < resubmissions.size()) {
            resubmit(chain, resubmissions.get(resubmitted));
            return true;
        }
        int flags = ring.flags(availableSlot);
        if (!PackedRing.isAvailable(flags, availableWrap)) {
            return false;
        }
        int room = size() - slotsTaken;
        if (room == 0) {
            throw new DriverFault("slot " + availableSlot + " was made available again before it was used");
        }
        boolean popped = false;
        try {
            int id = reader.read(chain, ring.descriptors(), availableSlot, flags, availableWrap, room, inflight);
            inHand.checkFree(id);
            if (inflight != null) {
                inflight.popped(chain);
            }
            popped = true;
            chain.resubmitted = false;
            take(chain, id);
        } finally {
            if (!popped && inflight != null) {
                inflight.abandon();
            }
        }
        slotsTaken += chain.slots;
        availableSlot += chain.slots;
        if (availableSlot >= size()) {
            availableSlot -= size();
            // VQ-PCK-2
            availableWrap = !availableWrap;
        }
        return true;
    }

    private void resubmit(DescriptorChain chain, PackedInflightRecovery.Pending pending) {
        int id = reader.readKept(chain, pending.descriptors(), pending.count());
        inHand.checkFree(id);
        chain.inflightFirst = pending.first();
        chain.inflightLast = pending.last();
        chain.resubmitted = true;
        resubmitted++;
        take(chain, id);
    }

    @Override
    public void push(DescriptorChain chain, long written) {
        int id = giveBack(chain, written);
        int slots = chain.slots;
        int slot = usedSlot;
        boolean wrap = usedWrap;
        usedSlot += slots;
        if (usedSlot >= size()) {
            usedSlot -= size();
            usedWrap = !usedWrap;
        }
        slotsTaken -= slots;
        slotsPushed = Math.min(slotsPushed + slots, size());
        if (inflight != null) {
            inflight.beforeUsed(chain, slot, wrap, usedSlot, usedWrap);
        }
        ring.writeUsed(slot, id, Math.min(written, MAX_WRITTEN), wrap);
        if (inflight != null) {
            inflight.afterUsed(chain, usedSlot, usedWrap);
        }
    }

    @Override
    public void unpop(DescriptorChain chain) {
        forget(chain);
        if (chain.resubmitted) {
            // It stays in flight: the next start of the queue with this memory finds it there.
            resubmitted--;
            return;
        }
        slotsTaken -= chain.slots;
        availableSlot -= chain.slots;
        if (availableSlot < 0) {
            availableSlot += size();
            availableWrap = !availableWrap;
        }
        if (inflight != null) {
            inflight.unpopped(chain);
        }
    }

    @Override
    public boolean hasAvailable() {
        return resubmitted < resubmissions.size() || PackedRing.isAvailable(ring.flags(availableSlot), availableWrap);
    }

    @Override
    public void suppressKicks() {
        ring.setDeviceEvents(PackedRing.EVENTS_DISABLED);
    }

    @Override
    public boolean resumeKicks() {
        if (eventIndex) {
            ring.setDeviceEventsAt(PackedPosition.bits(availableSlot, availableWrap));
        } else {
            ring.setDeviceEvents(PackedRing.EVENTS_ENABLED);
        }
        PackedRing.fence();
        return hasAvailable();
    }

    @Override
    public boolean needsCall() {
        int pushed = slotsPushed;
        slotsPushed = 0;
        if (callOwed) {
            callOwed = false;
            return true;
        }
        if (pushed == 0) {
            return false;
        }
        PackedRing.fence();
        int flags = ring.driverEventFlags();
        // VQ-PCK-9
        if (flags != PackedRing.EVENTS_AT_DESCRIPTOR || !eventIndex) {
            return flags != PackedRing.EVENTS_DISABLED;
        }
        if (pushed == size()) {
            return true;
        }
        // True if the named slot is among those pushed: 1 to `pushed` slots back. A position of the other lap counts
        // from a lap earlier; if it means the next lap, that is more than a lap back, and not among them.
        int position = ring.driverEventPosition();
        boolean sameLap = position == PackedPosition.bits(position & 0x7fff, usedWrap);
        int back = usedSlot - (position & 0x7fff) + (sameLap ? 0 : size());
        return back >= 1 && back <= pushed;
    }

    @Override
    public int base() {
        return PackedPosition.bits(availableSlot, availableWrap)
                | (PackedPosition.bits(usedSlot, usedWrap) << USED_BASE_SHIFT);
    }

    @Override
    public int usedPosition() {
        return PackedPosition.bits(usedSlot, usedWrap);
    }

    @Override
    public boolean isAtStart() {
        return availableSlot == 0 && availableWrap && !recovered;
    }

    @Override
    public boolean showsUse() {
        return ring.hasUsedDescriptors(size());
    }

    @Override
    public int movedSince(int base) {
        int slot = base & 0x7fff;
        if (slot >= size()) {
            return Integer.MAX_VALUE;
        }
        boolean sameLap = availableWrap == ((base & 0x8000) != 0);
        int distance = availableSlot - slot + (sameLap ? 0 : size());
        return distance < 0 ? distance + 2 * size() : distance;
    }

    @Override
    String describePositions() {
        return "packed: available " + new PackedPosition(availableSlot, availableWrap) + ", used "
                + new PackedPosition(usedSlot, usedWrap) + ", " + slotsTaken + " slots taken";
    }

    @Override
    String describeRing() {
        return ring.describe(availableSlot);
    }

    @Override
    void place(RingArea descriptors, RingArea driver, RingArea device) {
        ring.relocate(descriptors, driver, device);
    }

    @Override
    public void logUsedWritesAt(long guestAddress) {
        ring.logUsedWritesAt(guestAddress);
    }
}
