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
 * A memory device (VIRTIO, "Memory Device"). Every method belongs on the event loop of its VM; sizes are bytes.
 *
 * <p>Blocks change their state by requests of the driver and by {@link #systemReset} only. A reset of the device changes
 * nothing ("The device MUST NOT change the state of memory blocks during device reset"), and a front-end that leaves and
 * comes back finds everything as it was.
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
    /** The next slice of work that no request asks for is on its way. */
    private boolean sliceWaits;
    /** Requests may be available that were not looked at because of such work. */
    private boolean requestsWait;

    private long features;
    private boolean driverRuns;

    /**
     * @param preallocate take host memory when a block is plugged, so that a guest can't run into a host that has none
     * @param kept what is known of the device from before
     * @param initialSize what is requested if nothing was before: a multiple of the block size, up to the region's size
     * @throws IllegalArgumentException if it is not
     */
    public VirtioMem(KeptBlocks kept, boolean preallocate, long initialSize, MemListener listener) {
        this(kept, preallocate, initialSize, listener, new PageFeed());
    }

    /** @param feed is told which blocks the guest does not use */
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

    /** Where the region of the device lies, and how large it and its blocks are; never changes (MEM-CFG-2). */
    public MemoryRegionPlan plan() {
        return plan;
    }

    /** What the driver is asked to come to, in bytes: a multiple of the block size. */
    public long requestedSize() {
        return sizes.requested();
    }

    /** The size of all plugged blocks, in bytes. */
    public long pluggedSize() {
        return sizes.plugged();
    }

    /** The part of the region in which blocks can be plugged, from its start on, in bytes (MEM-CFG-4). */
    public long usableSize() {
        return sizes.usable();
    }

    /** The memory that the connected front-end shares, mapped as long as it stays so; none if nobody is connected. */
    public List<MemoryRegion> sharedMemory() {
        return link == null ? List.of() : link.memory().regions();
    }

    /** True while a front-end is connected. */
    public boolean isConnected() {
        return link != null;
    }

    /**
     * True while what unplugged blocks have is the guest's doing: a driver uses the device, has plugged nothing that the
     * device does not know of, and unplugged memory was emptied for it, and is not guarded. A VM on its way to another host is not looked at,
     * as its VMM reads all memory, which fills holes.
     */
    public boolean canPatrol() {
        return guard == null
                && unplugged.isEmptied()
                && !changes.isUnderWay()
                && reset == null
                && !Objects.requireNonNull(link).memory().isLogged()
                && !memory().isArriving();
    }

    /** Where which block is plugged is kept. */
    BlockMap blocks() {
        return blocks;
    }

    /** True if every plugged block is known: what is unplugged can be guarded. */
    public boolean isKnown() {
        return kept.isKnown();
    }

    /** Guest address of the first block that is not plugged; empty if there is none. */
    public OptionalLong firstUnplugged() {
        long first = blocks.next(0, blocks.blocks(), false);
        return first == blocks.blocks()
                ? OptionalLong.empty()
                : OptionalLong.of(plan.address() + first * plan.blockSize());
    }

    /**
     * Guards unplugged blocks from now on (MEM-GUARD), in place of the patrol.
     *
     * @param by guards nothing yet; stays the caller's
     * @throws LinuxException if that can't be done; nothing is guarded then
     * @throws IllegalStateException if it is not known what is plugged
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
        // What was filled before.
        emptyUnplugged();
    }

    /** Guards nothing any more; whoever guarded is to be closed. */
    public void guardNoMore() {
        guard = null;
        changes.guardWith(null);
    }

    /** Answers touches of unplugged blocks, a batch of them; to be called whenever the guard's descriptor is readable. */
    public void serveTouches() {
        BlockGuard current = guard;
        if (current != null) {
            current.serve(memory());
        }
    }

    /** Lets everybody go on whose write to an unplugged block waits. */
    public void releaseTouches() {
        BlockGuard current = guard;
        if (current != null) {
            current.goOn(memory());
        }
    }

    /**
     * Takes pages back that were given to whoever touched unplugged blocks.
     *
     * @return true if it is to be called again after {@link BlockGuard#LEAST_MILLIS}
     */
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
     * Looks for a while whether unplugged blocks have data again; does nothing unless it {@linkplain #canPatrol can}.
     *
     * @param punch give what is found back to the host
     * @param budget ns after which to stop
     * @return what a round around the whole region has found if it is complete, or null
     */
    public Patrol.@Nullable Round patrol(boolean punch, long budget) throws LinuxException {
        if (!unplugged.isEmptied() && !unplugged.isEmptying()) {
            // What the host refused once may go now.
            emptyUnplugged();
        }
        return canPatrol() ? unplugged.patrol(Objects.requireNonNull(link).memory(), punch, budget) : null;
    }

    /**
     * Asks the driver to come to another size; it does what it can.
     *
     * @throws IllegalArgumentException if the size is no multiple of the block size or exceeds the region
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
     * The system was reset: no driver uses any block any more. The VMM can't tell us over vhost-user, so the operator does
     * (MEM-BLK-4). Requests wait until it is done, which takes seconds where much memory goes back to the host.
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

    /** Does as much of the work that no request asks for as a step of the event loop may do (MEM-STEP-1). */
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

    /** Returns true if more is to be done. */
    private boolean doSome() {
        DeviceLink current = link;
        SystemReset resetting = reset;
        if (current != null && current.memory().isArriving()) {
            // MEM-BLK-8: gone on with when all of it is here.
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
        // What is being plugged looks unplugged until it is: it must not be emptied.
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
     * Takes the place of the device on the host that the VM has moved from.
     *
     * @param known true if the map tells of every plugged block
     */
    void moveHere(long requested, long usable, boolean known, LongUnaryOperator mapWords) {
        // A process that takes over from one that ends in between must not believe the map.
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
     * Which pages of a GiB are in unplugged blocks of this device. On the event loop; some 20 us' work.
     *
     * @param gib the GiB's number, from guest address 0 on
     * @param pages a bit for each page, in {@link PageSet#CHUNK_WORDS} words of 64; those of unplugged blocks are set
     * @return whether any are, as far as that is known
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
        // MEM-FEAT-1. MEM-FEAT-3: a guest that wakes up has a queue that looks new: whoever does not know its blocks
        // then, would empty them.
        return UNPLUGGED_INACCESSIBLE
                | (kept.outlivesProcess() ? PERSISTENT_SUSPEND : 0)
                | (plan.node().isPresent() ? ACPI_PXM : 0);
    }

    /** All feature bits that the driver acknowledged; 0 before it did. */
    public long acknowledgedFeatures() {
        return features;
    }

    /** True if the driver has agreed not even to read unplugged blocks (MEM-FEAT-2). */
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
                    .hostFault("the driver was running before this process knew of the device, and may have blocks"
                            + " plugged that are not known: unplugged memory is not patrolled until the guest"
                            + " starts anew");
        }
        emptyUnplugged();
        // A driver that starts reads the config space; one that goes on may not know what was asked for meanwhile.
        if (!anew) {
            Objects.requireNonNull(link).configChanged();
        }
        listener.driverChanged(true);
    }

    /** New memory may have been filled by the VMM. */
    @Override
    public void memoryChanged() {
        requests.memoryChanged(Objects.requireNonNull(link).memory());
        emptyUnplugged();
    }

    /** Reading all memory, as a VMM does that moves a VM, fills holes. */
    @Override
    public void loggingChanged() {
        emptyUnplugged();
    }

    /** MEM-BLK-8: what was put off until all memory is here. */
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
            // Requests ahead of one that is a fault of the driver were carried out.
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
