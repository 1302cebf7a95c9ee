package org.exomem.mem;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.function.LongUnaryOperator;
import org.exomem.mem.Refusals.Reason;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.DeviceState;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.exomem.vhostuser.linux.LinuxException;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.memory.PageFeed;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
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
    private static final int DEVICE_ID = 24;
    private static final long ACPI_PXM = 1;
    private static final long UNPLUGGED_INACCESSIBLE = 1 << 1;
    private static final long PERSISTENT_SUSPEND = 1 << 2;

    private final MemoryRegionPlan plan;
    private final KeptBlocks kept;
    private final BlockMap blocks;
    private final BlockChanges changes;
    private final PageFeed feed;
    private final MemListener listener;
    private final Refusals refusals;
    private final Patrol patrol;
    private final GuestRequest request = new GuestRequest();
    private final DescriptorChain chain = new DescriptorChain();
    private @Nullable DeviceLink link;
    private long features;
    private long requestedSize;
    private long usableSize;
    private boolean driverRuns;
    private final BlocksState state;
    /** Unplugged memory was emptied since anybody but the guest may have filled it: what is in it now is the guest's. */
    private boolean emptied;

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
        this.plan = kept.plan();
        plan.checkRequested(initialSize);
        this.kept = kept;
        this.blocks = kept.map();
        this.changes = new BlockChanges(kept, preallocate, feed);
        this.feed = feed;
        feed.add(this::tell);
        this.listener = listener;
        this.refusals = new Refusals(listener);
        this.patrol = new Patrol(plan, blocks, System::nanoTime);
        this.requestedSize = kept.requestedSize().orElse(initialSize);
        this.usableSize = Math.max(
                Math.max(plan.usableSize(requestedSize), highestPluggedEnd()),
                kept.usableSize().orElse(0));
        this.state = new BlocksState(this, kept);
        keepSizes();
    }

    private void tell(PageFeed.Listener to) {
        // A driver that the device does not know may have plugged anything.
        if (kept.isKnown()) {
            changes.tell(to);
        }
    }

    private void keepKnown() {
        if (!kept.isKnown()) {
            kept.keepKnown();
            changes.tell(feed::offer);
        }
    }

    /** The usable size first: it may always be larger than what the requested size needs, never smaller. */
    private void keepSizes() {
        kept.keepUsableSize(usableSize);
        kept.keepRequestedSize(requestedSize);
    }

    private long highestPluggedEnd() {
        long[] end = new long[1];
        blocks.forEachRun(true, blocks.blocks(), (first, count) -> end[0] = (first + count) * plan.blockSize());
        return end[0];
    }

    public MemoryRegionPlan plan() {
        return plan;
    }

    /** What the driver is asked to come to. */
    public long requestedSize() {
        return requestedSize;
    }

    /** The size of all plugged blocks. */
    public long pluggedSize() {
        return blocks.plugged() * plan.blockSize();
    }

    /** The part of the region in which blocks can be plugged, from its start on. */
    public long usableSize() {
        return usableSize;
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
     * device does not know of, and unplugged memory was emptied for it. A VM on its way to another host is not looked at,
     * as its VMM reads all memory, which fills holes.
     */
    public boolean canPatrol() {
        return emptied && !Objects.requireNonNull(link).memory().isLogged();
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
        if (!emptied) {
            // What the host refused once may go now.
            emptyUnplugged();
        }
        return canPatrol() ? patrol.slice(Objects.requireNonNull(link).memory(), punch, budget) : null;
    }

    /**
     * Asks the driver to come to another size; it does what it can.
     *
     * @throws IllegalArgumentException if the size is no multiple of the block size or exceeds the region
     */
    public void request(long size) {
        plan.checkRequested(size);
        refusals.forget();
        requestedSize = size;
        // "The device MUST NOT shrink usable_region_size, except when processing an UNPLUG ALL request".
        usableSize = Math.max(usableSize, plan.usableSize(size));
        keepSizes();
        if (link != null) {
            link.configChanged();
        }
    }

    /**
     * The system was reset: nobody uses any block any more. The VMM can't tell us over vhost-user, so the operator does.
     *
     * @throws LinuxException if the host refuses to take memory back; the blocks stay plugged
     */
    public void systemReset() throws LinuxException {
        DeviceLink current = link;
        GuestMemory memory = current == null ? new GuestMemory() : current.memory();
        changes.reset(memory);
        nothingIsPlugged();
        listener.pluggedSizeChanged(0);
        if (current != null) {
            current.configChanged();
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
        // Whoever takes over from a process that ends in between must not believe the map.
        kept.forgetKnown();
        changes.forget();
        for (long word = 0; word < blocks.words(); word++) {
            blocks.setWord(word, mapWords.applyAsLong(word));
        }
        requestedSize = requested;
        usableSize = usable;
        keepSizes();
        if (known) {
            keepKnown();
        }
        refusals.forget();
        listener.pluggedSizeChanged(pluggedSize());
    }

    /** All memory was emptied, whatever was known of it. */
    private void nothingIsPlugged() {
        keepKnown();
        emptied = driverRuns;
        usableSize = plan.usableSize(requestedSize);
        keepSizes();
    }

    @Override
    public int deviceId() {
        return DEVICE_ID;
    }

    @Override
    public long features() {
        // A guest that wakes up has a queue that looks new: whoever does not know its blocks then, would empty them.
        return UNPLUGGED_INACCESSIBLE
                | (kept.outlivesProcess() ? PERSISTENT_SUSPEND : 0)
                | (plan.node().isPresent() ? ACPI_PXM : 0);
    }

    /** All feature bits that the driver acknowledged; 0 before it did. */
    public long acknowledgedFeatures() {
        return features;
    }

    /** True if the driver has agreed not even to read unplugged blocks. */
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
        MemConfig.write(config, plan, usableSize, pluggedSize(), requestedSize);
    }

    /** "All fields of this configuration are always available and read-only for the driver." */
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
    public void queueStarted(Virtqueue queue) {
        GuestMemory memory = Objects.requireNonNull(link).memory();
        String missing = changes.missing(memory);
        if (missing != null) {
            Objects.requireNonNull(link).hostFault(missing);
        }
        patrol.restart();
        driverRuns = true;
        boolean anew = queue.isAtStart() && !queue.showsUse();
        if (anew) {
            keepKnown();
        } else if (!kept.isKnown()) {
            Objects.requireNonNull(link)
                    .hostFault(
                            "the driver was running before this process knew of the device, and may have blocks plugged"
                                    + " that are not known: unplugged memory is not patrolled until the guest starts anew");
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
        emptyUnplugged();
    }

    /** Reading all memory, as a VMM does that moves a VM, fills holes. */
    @Override
    public void loggingChanged() {
        emptyUnplugged();
    }

    private void emptyUnplugged() {
        emptied = false;
        if (!driverRuns || !kept.isKnown()) {
            return;
        }
        DeviceLink current = Objects.requireNonNull(link);
        try {
            changes.discardUnplugged(current.memory());
            emptied = true;
        } catch (LinuxException e) {
            current.hostFault("unplugged memory could not be given back: " + e.getMessage());
        }
    }

    @Override
    public void process(Virtqueue queue) {
        GuestMemory memory = Objects.requireNonNull(link).memory();
        long before = blocks.plugged();
        try {
            while (queue.pop(chain)) {
                answer(queue, memory);
            }
        } finally {
            // Requests ahead of one that is a fault of the driver were carried out.
            if (blocks.plugged() != before) {
                listener.pluggedSizeChanged(pluggedSize());
            }
        }
    }

    private void answer(Virtqueue queue, GuestMemory memory) {
        request.read(chain);
        boolean again = comesAgain(queue.usedPosition());
        BlockMap.State state = BlockMap.State.PLUGGED;
        Answer answer;
        if (request.type() == GuestRequest.STATE) {
            Reason reason = rangeFault();
            answer = reason == null ? Answer.ACK : refusals.refuse(request, reason);
            state = reason == null ? blocks.state(firstBlock(), request.blocks()) : state;
        } else {
            answer = change(memory, again);
        }
        queue.push(chain, request.respond(chain, memory, answer, state));
    }

    private boolean comesAgain(int position) {
        if (request.type() == GuestRequest.UNPLUG_ALL) {
            return changes.comesAgain(GuestRequest.UNPLUG_ALL, 0, 0, position);
        }
        boolean aligned = (request.address() & plan.blockSize() - 1) == 0;
        return changes.comesAgain(request.type(), aligned ? firstBlock() : -1, request.blocks(), position);
    }

    private Answer change(GuestMemory memory, boolean again) {
        try {
            return switch (request.type()) {
                case GuestRequest.PLUG -> plug(memory, again);
                case GuestRequest.UNPLUG -> unplug(memory, again);
                case GuestRequest.UNPLUG_ALL -> unplugAll(memory, again);
                default -> refusals.refuse(request, Reason.UNKNOWN_TYPE);
            };
        } catch (LinuxException e) {
            return refusals.refuse(request, Reason.NO_ROOM, String.valueOf(e.getMessage()));
        }
    }

    private Answer plug(GuestMemory memory, boolean again) throws LinuxException {
        Reason reason = again ? faultAgain(memory) : changeFault(memory, BlockMap.State.UNPLUGGED);
        if (reason != null) {
            return refusals.refuse(request, reason);
        }
        if (!again && request.blocks() > (requestedSize - pluggedSize()) / plan.blockSize()) {
            return refusals.refuse(request, Reason.MORE_THAN_REQUESTED);
        }
        if (!again && memory.isLogged()) {
            return refusals.refuse(request, Reason.MOVING);
        }
        changes.plug(memory, firstBlock(), request.blocks());
        return Answer.ACK;
    }

    private Answer unplug(GuestMemory memory, boolean again) throws LinuxException {
        Reason reason = again ? faultAgain(memory) : changeFault(memory, BlockMap.State.PLUGGED);
        if (reason != null) {
            return refusals.refuse(request, reason);
        }
        if (!again && memory.isLogged()) {
            return refusals.refuse(request, Reason.MOVING);
        }
        changes.unplug(memory, firstBlock(), request.blocks());
        return Answer.ACK;
    }

    private Answer unplugAll(GuestMemory memory, boolean again) throws LinuxException {
        if (!again && memory.isLogged() && blocks.plugged() > 0) {
            return refusals.refuse(request, Reason.MOVING);
        }
        changes.unplugAll(memory);
        nothingIsPlugged();
        return Answer.ACK;
    }

    /** What may be wrong with a request that comes again: its rules were checked, but guest memory may be another. */
    private @Nullable Reason faultAgain(GuestMemory memory) {
        if (changes.covers(memory, firstBlock(), request.blocks())) {
            return null;
        }
        changes.giveUp(request.type(), firstBlock(), request.blocks());
        return Reason.NOT_SHARED;
    }

    private @Nullable Reason changeFault(GuestMemory memory, BlockMap.State wanted) {
        Reason reason = rangeFault();
        if (reason != null) {
            return reason;
        }
        if (blocks.state(firstBlock(), request.blocks()) != wanted) {
            return Reason.WRONG_STATE;
        }
        return changes.covers(memory, firstBlock(), request.blocks()) ? null : Reason.NOT_SHARED;
    }

    /** What is wrong with the range of blocks that a request names, or null. */
    private @Nullable Reason rangeFault() {
        if (request.blocks() == 0) {
            return Reason.NO_BLOCKS;
        }
        long offset = request.address() - plan.address();
        if ((offset & (plan.blockSize() - 1)) != 0) {
            return Reason.MISALIGNED;
        }
        // As unsigned numbers, an address below the region is far behind its end.
        long usable = usableSize / plan.blockSize();
        if (Long.compareUnsigned(offset, usableSize) >= 0 || request.blocks() > usable - offset / plan.blockSize()) {
            return Reason.NOT_USABLE;
        }
        return null;
    }

    private long firstBlock() {
        return (request.address() - plan.address()) / plan.blockSize();
    }

    @Override
    public void queueStopped(Virtqueue queue, boolean completing) {
        driverRuns = false;
        emptied = false;
        listener.driverChanged(false);
    }

    /** "The device MUST NOT change the state of memory blocks during device reset." */
    @Override
    public void reset() {}

    @Override
    public void disconnected() {
        link = null;
        features = 0;
    }
}
