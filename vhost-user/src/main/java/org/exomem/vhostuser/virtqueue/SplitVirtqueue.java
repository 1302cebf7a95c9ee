package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** The split ring's device side (VIRTIO, "Split Virtqueues"). */
public final class SplitVirtqueue extends Virtqueue {
    private static final int INDEX_MASK = 0xffff;

    private final SplitRing ring;
    private final SplitChainReader reader;
    private final @Nullable SplitInflight inflight;
    private final boolean eventIndex;

    /** The next position in the available ring, modulo 65536 (VQ-SPL-7). */
    private int nextAvailable;
    /** The driver's index as last read: for earlier positions the ring's idx need not be read again. */
    private int knownAvailable;
    /** All 32 bits count, so that laps of the 16-bit index show. */
    private int usedIndex;
    /** {@link #usedIndex} at the last {@link #needsCall}. */
    private int askedAt;

    private boolean callOwed;

    SplitVirtqueue(VirtqueueSetup setup) {
        super(setup);
        ring = new SplitRing(setup);
        reader = new SplitChainReader(setup);
        eventIndex = setup.has(RingFeatures.EVENT_IDX);
        usedIndex = ring.usedIndex();
        nextAvailable = setup.base() & INDEX_MASK;
        MemorySegment region = setup.inflight();
        if (region == null || InflightRegion.entries(region, setup.size(), false) == 0) {
            // VHU-INF-5, before in-flight memory is initialised: what a queue that can't start left there would count
            // at the next start, in place of the base.
            checkStart();
        }
        inflight = region == null ? null : SplitInflight.open(region, setup.size(), usedIndex);
        if (inflight != null && inflight.isRecovered()) {
            // The front-end can't know the progress of a back-end that died: it had popped what it had used and what it
            // still held.
            nextAvailable = (usedIndex + inflight.resubmissions()) & INDEX_MASK;
            checkStart();
        }
        knownAvailable = nextAvailable;
        askedAt = usedIndex;
        // An earlier back-end may have died between a used entry and its call; one call too many does no harm
        // (VQ-EVT-3).
        callOwed = usedIndex != 0;
    }

    private void checkStart() {
        int taken = (nextAvailable - usedIndex) & INDEX_MASK;
        if (taken > size()) {
            throw new DriverFault("the queue starts at available index " + nextAvailable + ", but its used index is "
                    + usedIndex + ": the distance is more than the " + size() + " descriptors of the queue");
        }
    }

    @Override
    boolean popNext(DescriptorChain chain) {
        chain.begin(this);
        if (inflight != null && inflight.hasResubmission()) {
            int head = inflight.resubmission();
            reader.read(chain, ring.descriptors(), head);
            inflight.resubmitted();
            chain.resubmitted = true;
            take(chain, head);
            return true;
        }
        if (nextAvailable == knownAvailable && !lookForMore()) {
            return false;
        }
        int head = ring.availableHead(nextAvailable);
        if (head >= size()) {
            throw new DriverFault("available entry " + nextAvailable + " names descriptor " + head
                    + ", but the queue has only " + size());
        }
        inHand.checkFree(head);
        reader.read(chain, ring.descriptors(), head);
        if (inflight != null) {
            inflight.popped(head);
        }
        nextAvailable = (nextAvailable + 1) & INDEX_MASK;
        chain.resubmitted = false;
        take(chain, head);
        return true;
    }

    private boolean lookForMore() {
        int index = ring.availableIndex();
        if (index == nextAvailable) {
            return false;
        }
        int more = (index - nextAvailable) & INDEX_MASK;
        if (more > size()) {
            throw new DriverFault("the available index went from " + nextAvailable + " to " + index
                    + ", by more than the " + size() + " descriptors of the queue");
        }
        knownAvailable = index;
        return true;
    }

    @Override
    public void push(DescriptorChain chain, long written) {
        int head = giveBack(chain, written);
        if (inflight != null) {
            inflight.beforeUsed(head);
        }
        ring.writeUsedEntry(usedIndex, head, Math.min(written, MAX_WRITTEN));
        usedIndex++;
        ring.publishUsed(usedIndex);
        if (inflight != null) {
            inflight.afterUsed(head, usedIndex);
        }
    }

    @Override
    public void unpop(DescriptorChain chain) {
        int head = forget(chain);
        if (inflight != null && chain.resubmitted) {
            // It stays in flight: the next start of the queue with this memory finds it there.
            inflight.unresubmitted();
            return;
        }
        nextAvailable = (nextAvailable - 1) & INDEX_MASK;
        if (inflight != null) {
            inflight.unpopped(head);
        }
    }

    @Override
    public boolean hasAvailable() {
        return (inflight != null && inflight.hasResubmission())
                || knownAvailable != nextAvailable
                || ring.availableIndex() != nextAvailable;
    }

    @Override
    public void suppressKicks() {
        // With EVENT_IDX flags must stay 0; an avail_event that is not updated suppresses kicks then.
        if (!eventIndex) {
            ring.setKicksSuppressed(true);
        }
    }

    @Override
    public boolean resumeKicks() {
        if (eventIndex) {
            ring.setAvailEvent(nextAvailable);
        } else {
            ring.setKicksSuppressed(false);
        }
        SplitRing.fence();
        return hasAvailable();
    }

    @Override
    public boolean needsCall() {
        int pushed = usedIndex - askedAt;
        if (callOwed) {
            callOwed = false;
            askedAt = usedIndex;
            return true;
        }
        if (pushed == 0) {
            return false;
        }
        askedAt = usedIndex;
        SplitRing.fence();
        if (!eventIndex) {
            // VQ-EVT-1
            return ring.driverWantsCalls();
        }
        if (Integer.compareUnsigned(pushed, INDEX_MASK) > 0) {
            return true;
        }
        // VQ-EVT-2: true if the entry at used_event is among those pushed: 1 to `pushed` positions back.
        int back = (usedIndex - ring.usedEvent()) & INDEX_MASK;
        return back >= 1 && back <= pushed;
    }

    @Override
    public int base() {
        return nextAvailable;
    }

    @Override
    public int usedPosition() {
        return usedIndex & INDEX_MASK;
    }

    @Override
    public boolean isAtStart() {
        return nextAvailable == 0 && (inflight == null || !inflight.isRecovered());
    }

    @Override
    public boolean showsUse() {
        return ring.hasUsedEntries();
    }

    @Override
    public int movedSince(int base) {
        return (nextAvailable - base) & INDEX_MASK;
    }

    @Override
    String describePositions() {
        return "split: available " + nextAvailable + " (known up to " + knownAvailable + "), used " + usedPosition();
    }

    @Override
    String describeRing() {
        return ring.toString();
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
