package org.exomem.mem;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongUnaryOperator;
import org.exomem.linux.LinuxException;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.DeviceState;
import org.exomem.vhostuser.backend.DriverRun;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * A memory device (VIRTIO, "Memory Device"). Call every method on the event loop of its VM. Sizes are in bytes.
 *
 * <p>Only requests of the driver and {@link #systemReset} change the state of blocks. A device reset changes nothing ("The
 * device MUST NOT change the state of memory blocks during device reset"; MEM-BLK-3). A front-end that leaves and connects
 * again finds all blocks as before.
 */
public final class VirtioMem implements VhostUserDevice {
    private static final long GIB = 1L << 30;
    private static final int DEVICE_ID = 24;
    private static final long ACPI_PXM = 1;
    private static final long UNPLUGGED_INACCESSIBLE = 1 << 1;
    private static final long PERSISTENT_SUSPEND = 1 << 2;

    private static final GuestMemory NOTHING_SHARED = new GuestMemory();

    private final MemoryRegionPlan plan;
    private final KeptBlocks kept;
    private final BlockMap blocks;
    private final BlockChanges changes;
    private final MemSizes sizes;
    private final UnpluggedMemory unplugged;
    private final Requests requests;
    private final Refusals refusals;
    private final MemListener listener;
    private final BlocksState state;
    private final StepBudget budget;
    private @Nullable DeviceLink link;
    private @Nullable Virtqueue queue;
    private @Nullable SystemReset reset;
    private @Nullable BlockGuard guard;
    /** The next slice of work without a request is scheduled. */
    private boolean sliceWaits;
    /** Requests may be available that were not examined because of such work. */
    private boolean requestsWait;

    private long features;
    private boolean driverRuns;

    /**
     * @param preallocate allocate host memory when a block is plugged, so that a guest does not fail on a host without
     *     memory
     * @param kept the device's state from before
     * @param initialSize the requested size if none was kept: a multiple of the block size, up to the region's size
     * @throws IllegalArgumentException if it is not
     */
    public VirtioMem(KeptBlocks kept, boolean preallocate, long initialSize, MemListener listener) {
        this(kept, preallocate, initialSize, listener, new PageFeed());
    }

    /** @param feed receives which blocks the guest does not use */
    public VirtioMem(KeptBlocks kept, boolean preallocate, long initialSize, MemListener listener, PageFeed feed) {
        this(kept, preallocate, initialSize, listener, feed, new StepBudget());
    }

    VirtioMem(
            KeptBlocks kept,
            boolean preallocate,
            long initialSize,
            MemListener listener,
            PageFeed feed,
            StepBudget budget) {
        this.budget = budget;
        this.plan = kept.plan();
        plan.checkRequested(initialSize);
        this.kept = kept;
        this.blocks = kept.map();
        this.changes = new BlockChanges(kept, preallocate, feed);
        this.sizes = new MemSizes(kept, initialSize);
        this.unplugged = new UnpluggedMemory(kept);
        this.refusals = new Refusals(listener);
        this.requests = new Requests(kept, changes, sizes, unplugged, refusals, budget);
        this.listener = listener;
        this.state = new BlocksState(this, kept);
        feed.add(changes::replay);
    }

    /** The address and size of the region and the size of its blocks; they never change (MEM-CFG-2). */
    public MemoryRegionPlan plan() {
        return plan;
    }

    /** The size that the driver is asked to reach, in bytes: a multiple of the block size. */
    public long requestedSize() {
        return sizes.requested();
    }

    /** The size of all plugged blocks, in bytes. */
    public long pluggedSize() {
        return sizes.plugged();
    }

    /** The part of the region, from its start, in which blocks can be plugged, in bytes (MEM-CFG-4). */
    public long usableSize() {
        return sizes.usable();
    }

    /**
     * The memory that the connected front-end shares; it stays mapped while it is shared. Empty if no front-end is
     * connected.
     */
    public List<MemoryRegion> sharedMemory() {
        return link == null ? List.of() : link.memory().regions();
    }

    /** True while a front-end is connected. */
    public boolean isConnected() {
        return link != null;
    }

    /**
     * True while only the guest can have filled unplugged blocks, and they are not guarded. That is, a driver uses the
     * device, has plugged nothing that the device does not know of, and unplugged memory was emptied for it. An outgoing VM
     * is not examined: its VMM reads all memory, which fills holes.
     */
    public boolean canPatrol() {
        return guard == null
                && unplugged.isEmptied()
                && !changes.isUnderWay()
                && reset == null
                && !Objects.requireNonNull(link).memory().isLogged()
                && !memory().isArriving();
    }

    /** Which blocks are plugged. */
    BlockMap blocks() {
        return blocks;
    }

    /** True if every plugged block is known. Only then can unplugged blocks be guarded. */
    public boolean isKnown() {
        return kept.isKnown();
    }

    /** The guest address of the first block that is not plugged; empty if there is none. */
    public OptionalLong firstUnplugged() {
        long first = blocks.next(0, blocks.blocks(), false);
        return first == blocks.blocks()
                ? OptionalLong.empty()
                : OptionalLong.of(plan.address() + first * plan.blockSize());
    }

    /**
     * Guards unplugged blocks from now on (MEM-GUARD), instead of the patrol.
     *
     * @param by guards nothing yet; remains the caller's
     * @throws LinuxException if that is not possible; nothing is guarded then
     * @throws IllegalStateException if it is not known which blocks are plugged
     */
    public void guardWith(BlockGuard by) throws LinuxException {
        if (!kept.isKnown()) {
            throw new IllegalStateException("it is not known which blocks are plugged");
        }
        by.begin();
        guard = by;
        changes.guardWith(by);
        if (reset != null) {
            changes.guardAll();
        }
        // What was filled before the guard began.
        emptyUnplugged();
    }

    /** Stops guarding; the caller then closes the guard. */
    public void guardNoMore() {
        guard = null;
        changes.guardWith(null);
    }

    /** Answers one batch of touches of unplugged blocks. To be called whenever the guard's descriptor is readable. */
    public void serveTouches() {
        BlockGuard current = guard;
        if (current != null) {
            current.serve(memory());
        }
    }

    /** Lets all threads continue whose write to an unplugged block is held. */
    public void releaseTouches() {
        BlockGuard current = guard;
        if (current != null) {
            current.goOn(memory());
        }
    }

    /** See {@link BlockGuard#takeBack}. */
    public boolean takeTouchedBack() {
        BlockGuard current = guard;
        return current != null && (memory().isArriving() || current.takeBack(memory()));
    }

    private GuestMemory memory() {
        return link == null ? NOTHING_SHARED : link.memory();
    }

    /** True while a driver uses the device. */
    public boolean isDriverRunning() {
        return driverRuns;
    }

    /**
     * Examines for a while whether unplugged blocks have data again. Does nothing unless it {@linkplain #canPatrol can}.
     *
     * @param punch give found memory back to the host
     * @param budget ns after which to stop
     * @return the result of a round through the whole region if it is complete, or null
     */
    public Patrol.@Nullable Round patrol(boolean punch, long budget) throws LinuxException {
        if (!unplugged.isEmptied() && !unplugged.isEmptying()) {
            // A call that the host refused once may succeed now.
            emptyUnplugged();
        }
        return canPatrol() ? unplugged.patrol(Objects.requireNonNull(link).memory(), punch, budget) : null;
    }

    /**
     * Asks the driver to reach another size; it does what it can.
     *
     * @throws IllegalArgumentException if the size is not a multiple of the block size or exceeds the region
     */
    public void request(long size) {
        plan.checkRequested(size);
        refusals.forget();
        sizes.request(size);
        // MEM-CFG-5
        if (link != null) {
            link.configChanged();
        }
    }

    /**
     * The system was reset: no driver uses any block any more. vhost-user has no message for this, so the operator reports
     * it (MEM-BLK-4). Requests wait until it is done, which takes seconds where much memory is given back to the host.
     *
     * @return completes on the event loop when no block is plugged; with a {@link LinuxException} if the host refuses to
     *     take memory back, and then the blocks stay plugged
     */
    public CompletableFuture<Void> systemReset() {
        SystemReset current = reset;
        if (current == null) {
            changes.abandon();
            changes.forget();
            changes.guardAll();
            current = new SystemReset(plan);
            reset = current;
            doSlice();
        }
        return current.over();
    }

    /** Does as much of the work without a request as one step of the event loop may do (MEM-STEP-1). */
    private void doSlice() {
        if (sliceWaits) {
            return;
        }
        budget.begin();
        if (doSome()) {
            sliceWaits = true;
            Objects.requireNonNull(link).later(() -> {
                sliceWaits = false;
                doSlice();
            });
        } else if (requestsWait && queue != null && link != null) {
            requestsWait = false;
            link.processAgain(queue);
        }
    }

    /** Returns true if more work is left. */
    private boolean doSome() {
        DeviceLink current = link;
        SystemReset resetting = reset;
        if (current != null && current.memory().isArriving()) {
            // MEM-BLK-8: continued when all memory has arrived.
            return false;
        }
        if (resetting != null) {
            try {
                if (current != null && !resetting.goOn(current.memory(), budget)) {
                    return true;
                }
                reset = null;
                everythingWasDiscarded();
                resetting.over().complete(null);
            } catch (LinuxException e) {
                reset = null;
                changes.guardUnplugged();
                resetting.over().completeExceptionally(e);
            }
        }
        // Blocks that are being plugged are still marked as unplugged. They must not be emptied.
        return current != null && driverRuns && !changes.isUnderWay() && !unplugged.goOn(current, budget);
    }

    private void everythingWasDiscarded() {
        changes.nothingIsPlugged();
        sizes.nothingIsPlugged();
        if (driverRuns) {
            unplugged.allWasEmptied();
        }
        listener.pluggedSizeChanged(0);
        if (link != null) {
            link.configChanged();
        }
    }

    @Override
    public DeviceState state() {
        return state;
    }

    /**
     * Becomes the device of the host from which the VM has moved.
     *
     * @param requested the requested size there
     * @param usable the usable size there
     * @param known true if the map covers every plugged block
     * @param mapWords the map there, in words of 64 blocks
     */
    void moveHere(long requested, long usable, boolean known, LongUnaryOperator mapWords) {
        // If this process ends in between, the one that takes over must not trust the map.
        kept.forgetKnown();
        changes.forget();
        for (long word = 0; word < blocks.words(); word++) {
            blocks.setWord(word, mapWords.applyAsLong(word));
        }
        changes.guardUnplugged();
        sizes.become(requested, usable);
        if (known) {
            changes.keepKnown();
        }
        refusals.forget();
        listener.pluggedSizeChanged(pluggedSize());
    }

    /**
     * The pages of a GiB that are in unplugged blocks. On the event loop; takes some 20 us.
     *
     * @param gib the number of the GiB, from guest address 0 on
     * @param pages a bit for each page of 4096 bytes, in {@link PageSet#CHUNK_WORDS} words of 64; those of unplugged blocks
     *     are set
     * @return whether any bit was set, as far as the blocks are known
     */
    public boolean unplugged(int gib, long[] pages) {
        MemoryRegionPlan plan = kept.plan();
        long start = (long) gib * GIB;
        long from = Math.max(start, plan.address());
        long end = Math.min(start + GIB, plan.address() + plan.size());
        if (from >= end || !kept.isKnown()) {
            return false;
        }
        boolean[] any = {false};
        blocks.forEachRun(
                (from - plan.address()) / plan.blockSize(),
                (end - plan.address() + plan.blockSize() - 1) / plan.blockSize(),
                false,
                (first, count) -> {
                    long address = plan.address() + first * plan.blockSize();
                    long page = Pages.floor(Math.max(from, address) - start);
                    long behind = Pages.floor(Math.min(end, address + count * plan.blockSize()) - start);
                    for (; page < behind; page = BitWords.nextWord(page)) {
                        pages[(int) BitWords.index(page)] |= BitWords.mask(page, behind);
                    }
                    any[0] = true;
                });
        return any[0];
    }

    @Override
    public int deviceId() {
        return DEVICE_ID;
    }

    @Override
    public long features() {
        // MEM-FEAT-1. MEM-FEAT-3: the queue of a guest that resumes looks new. A device that does not know its blocks
        // would empty them.
        return UNPLUGGED_INACCESSIBLE
                | (kept.outlivesProcess() ? PERSISTENT_SUSPEND : 0)
                | (plan.node().isPresent() ? ACPI_PXM : 0);
    }

    /** All feature bits that the driver acknowledged; 0 before it did. */
    public long acknowledgedFeatures() {
        return features;
    }

    /** True if the driver has agreed not to access unplugged blocks, not even for reading (MEM-FEAT-2). */
    public boolean mustNotAccessUnplugged() {
        return (features & UNPLUGGED_INACCESSIBLE) != 0;
    }

    @Override
    public int maxQueues() {
        return 1;
    }

    @Override
    public int configSize() {
        return MemConfig.SIZE;
    }

    @Override
    public void readConfig(MemorySegment config) {
        MemConfig.write(config, plan, sizes.usable(), sizes.plugged(), sizes.requested());
    }

    /** MEM-CFG-6: "All fields of this configuration are always available and read-only for the driver." */
    @Override
    public void writeConfig(int offset, MemorySegment data) {}

    @Override
    public void connected(DeviceLink newLink) {
        link = newLink;
    }

    @Override
    public void featuresAcknowledged(long acknowledged) {
        features = acknowledged;
    }

    @Override
    public void queueStarted(Virtqueue started) {
        queue = started;
        GuestMemory memory = Objects.requireNonNull(link).memory();
        String missing = changes.missing(memory);
        if (missing != null) {
            Objects.requireNonNull(link).hostFault(missing);
        }
        unplugged.restartPatrol();
        driverRuns = true;
        boolean anew = DriverRun.of(started) == DriverRun.NEW;
        if (anew) {
            changes.keepKnown();
        } else if (!kept.isKnown()) {
            Objects.requireNonNull(link)
                    .hostFault("the driver was running before this process knew the device, and may have plugged blocks"
                            + " that this process does not know: unplugged memory is not patrolled until the"
                            + " guest is restarted");
        }
        emptyUnplugged();
        // A driver that starts reads the config space. One that continues may have missed a change.
        if (!anew) {
            Objects.requireNonNull(link).configChanged();
        }
        listener.driverChanged(true);
    }

    /** The VMM may have filled new memory. */
    @Override
    public void memoryChanged() {
        requests.memoryChanged(Objects.requireNonNull(link).memory());
        emptyUnplugged();
    }

    /** A VMM that moves a VM reads all memory, which fills holes. */
    @Override
    public void loggingChanged() {
        emptyUnplugged();
    }

    /** MEM-BLK-8: work that was deferred until all memory has arrived. */
    @Override
    public void memoryArrives() {
        if (!memory().isArriving()) {
            emptyUnplugged();
            if (reset != null) {
                doSlice();
            }
        }
    }

    private void emptyUnplugged() {
        if (driverRuns && !memory().isArriving()) {
            unplugged.begin();
            doSlice();
        }
    }

    @Override
    public void process(Virtqueue started) {
        // MEM-STEP-3
        boolean waits = unplugged.isEmptying() && !changes.isUnderWay();
        if (reset != null || waits) {
            requestsWait = true;
            return;
        }
        DeviceLink current = Objects.requireNonNull(link);
        long before = blocks.plugged();
        budget.begin();
        try {
            if (requests.answerSome(started, current.memory())) {
                current.processAgain(started);
            }
        } finally {
            // Requests before the driver's fault were carried out.
            if (blocks.plugged() != before) {
                listener.pluggedSizeChanged(pluggedSize());
            }
            if (unplugged.isEmptying() && !changes.isUnderWay()) {
                doSlice();
            }
        }
    }

    @Override
    public void queueStopped(Virtqueue stopped, boolean completing) {
        requests.stopped(stopped, completing);
        queue = null;
        driverRuns = false;
        unplugged.maybeFilled();
        listener.driverChanged(false);
    }

    /** MEM-BLK-3: "The device MUST NOT change the state of memory blocks during device reset." */
    @Override
    public void reset() {}

    @Override
    public void disconnected() {
        link = null;
        features = 0;
        sliceWaits = false;
        if (reset != null) {
            // Nothing is shared any more that could be given back.
            doSlice();
        }
    }
}
