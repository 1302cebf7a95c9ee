package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.DirtyLog;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.memory.PagesLate;
import org.exomem.vhostuser.protocol.ConfigAccess;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.FrontEndRequest;
import org.exomem.vhostuser.protocol.FrontEndRequest.*;
import org.exomem.vhostuser.protocol.LogDescription;
import org.exomem.vhostuser.protocol.ProtocolFeature;
import org.exomem.vhostuser.protocol.RegionDescription;
import org.exomem.vhostuser.protocol.Reply;
import org.exomem.vhostuser.protocol.RingAddresses;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The back-end's knowledge of one front-end, from its connection to its end: executes its requests and runs the rings.
 * {@link Connection} reads and answers messages. On the VM's event loop.
 */
final class Session implements DeviceLink {
    private static final int STATUS_NEEDS_RESET = 0x40;
    /**
     * The delay between a driver's fault and the message to the front-end that the device needs a reset. A driver that is
     * unloaded or reboots resets its device at once, and then the message must not be sent (VHU-CFG-7).
     */
    private static final Duration NEEDS_RESET_DELAY = Duration.ofSeconds(1);

    private final VhostUserDevice device;
    private final EventLoop loop;
    private final EndpointListener listener;
    private final GuestMemory memory = new GuestMemory();
    private final MemoryTable memoryTable;
    private final Negotiation negotiation;
    private final Rings rings;
    private final BackEndChannel backEndChannel;
    private final StateTransfers stateTransfers;
    private final PostCopy postCopy;
    private @Nullable DirtyLog log;
    private @Nullable EventFd logNotifier;
    private EventLoop.@Nullable Timer needsReset;
    private int status;
    private boolean featuresSet;
    private boolean releasing;
    private @Nullable Runnable afterDiscards;
    private final int frontEnd;
    private boolean closed;
    private final Consumer<Throwable> failed;

    /**
     * @param frontEnd the id of the connected process; 0 if it can't be seen
     * @param requestsWait true while the front-end has sent something that was not read yet
     * @param failed receives an error that ends the connection, found while a ring was processed
     */
    Session(
            VhostUserDevice device,
            EventLoop loop,
            EndpointListener listener,
            int frontEnd,
            BooleanSupplier requestsWait,
            Consumer<Throwable> failed) {
        this.frontEnd = frontEnd;
        this.device = device;
        this.loop = loop;
        this.listener = listener;
        this.memoryTable = new MemoryTable(memory, listener.memoryLimit(), this::findLatePages);
        this.failed = failed;
        this.negotiation = new Negotiation(device);
        this.backEndChannel = new BackEndChannel(loop, this::mayTell, requestsWait);
        this.stateTransfers = new StateTransfers(device, loop, listener);
        this.postCopy = new PostCopy(memory, loop, this::pagesCame, this::pagesFailed);
        this.rings = new Rings(device, memory, negotiation, loop, ring -> {
            try {
                process(ring);
            } catch (Throwable e) {
                // A queue that was processed partly can't go on after any error.
                failed.accept(e);
            }
        });
    }

    StateTransfers stateTransfers() {
        return stateTransfers;
    }

    Negotiation negotiation() {
        return negotiation;
    }

    /**
     * Executes a request.
     *
     * @return its reply, or null if it has none of its own
     * @throws FrontEndFault if the front-end broke a rule; nothing has changed, and no descriptor was kept
     */
    @Nullable
    Reply handle(FrontEndRequest request) throws LinuxException {
        if (memoryTable.isWaiting()
                && !(request instanceof AcknowledgeMemory
                        || request instanceof AddMemReg && !memoryTable.isWaitingForTable())) {
            throw new FrontEndFault(request.getClass().getSimpleName()
                    + " came while the VMM must acknowledge the addresses of its memory");
        }
        return switch (request) {
            case GetFeatures() -> Reply.u64(negotiation.offered());
            case SetFeatures(long features) -> done(() -> setFeatures(features));
            case GetProtocolFeatures() -> Reply.u64(negotiation.offeredProtocol());
            case SetProtocolFeatures(long features) -> done(() -> negotiation.acknowledgeProtocol(features));
            case GetQueueNum() -> Reply.u64(device.maxQueues());
            case SetOwner() -> null;
            // VHU-OWN-1
            case ResetOwner() -> done(() -> rings.all().forEach(ring -> ring.setEnabled(false)));
            case SetMemTable(var regions, var files) when postCopy.isListening() -> prepareTable(regions, files);
            case SetMemTable(var regions, var files) -> done(() -> changeMemory(() -> memoryTable.set(regions, files)));
            case GetMaxMemSlots() -> Reply.u64(MemoryTable.MAX_SLOTS);
            case AddMemReg(var region, var file) when postCopy.isListening() -> prepareRegion(region, file);
            case AddMemReg(var region, var file) -> done(() -> changeMemory(() -> memoryTable.add(region, file)));
            case AcknowledgeMemory() -> done(this::memoryAcknowledged);
            case RemMemReg(var region) -> done(() -> changeMemory(() -> memoryTable.remove(region)));
            case SetLogBase(var description, var file) -> {
                setLog(description, file);
                // VHU-LOG-2
                yield Reply.u64(0);
            }
            case SetLogFd(var notifier) -> done(() -> setLogNotifier(notifier));
            case SetVringNum(int index, int size) -> done(() -> rings.setSize(index, size));
            case SetVringAddr(var addresses) -> done(() -> moveRing(addresses));
            case SetVringBase(int index, int base) -> done(() -> rings.setBase(index, base));
            case GetVringBase(int index) -> {
                int base = rings.stop(index);
                forgetNeedsReset();
                releaseMemory();
                backEndChannel.flushLater();
                yield Reply.ringBase(index, base);
            }
            case SetVringKick(int index, var notifier) -> done(() -> kickArrived(index, notifier));
            case SetVringCall(int index, var notifier) -> done(() -> rings.setCall(index, notifier));
            case SetVringErr(int index, var notifier) -> done(() -> rings.setErr(index, notifier));
            case SetVringEnable(int index, boolean enable) -> done(() -> enable(rings.get(index), enable));
            case SetBackendReqFd(var socket) -> done(() -> setBackEndChannel(socket));
            case GetConfig(var access) -> Reply.config(access, readConfig(access));
            case SetConfig(var access) -> done(() -> writeConfig(access));
            case ResetDevice() -> done(this::reset);
            case SetStatus(int value) -> done(() -> setStatus(value));
            case GetStatus() -> Reply.u64(status);
            case GetInflightFd(var wanted) ->
                InflightBuffer.create(wanted, negotiation.acknowledged(), device.maxQueues());
            case SetInflightFd(var description, var file) ->
                done(() -> rings.trackInflight(
                        InflightBuffer.map(description, file, negotiation.acknowledged(), device.maxQueues())));
            case SetDeviceStateFd(var wanted, var channel) -> {
                stateTransfers.begin(wanted.direction(), channel, rings.anyStarted());
                yield Reply.noStateChannel();
            }
            case CheckDeviceState() -> stateTransfers.check();
            case PostcopyAdvise() -> postCopy.advise();
            case PostcopyListen() -> done(this::listen);
            case PostcopyEnd() -> {
                postCopy.end();
                arrived();
                yield Reply.u64(0);
            }
            // Their protocol features are not offered, so the connection has refused them already.
            case VringKick _, SetVringEndian _, GetShmemConfig _ ->
                throw new FrontEndFault(request + " belongs to a feature that is not offered");
        };
    }

    @FunctionalInterface
    private interface Action {
        void run() throws LinuxException;
    }

    private static @Nullable Reply done(Action action) throws LinuxException {
        action.run();
        return null;
    }

    private void setFeatures(long features) {
        long before = negotiation.acknowledged();
        boolean changesRings = ((before ^ features) & ~Negotiation.LOG_ALL) != 0;
        if (changesRings && rings.anyStarted()) {
            throw new FrontEndFault("SET_FEATURES changes features other than LOG_ALL while queues are started (from 0x"
                    + Long.toHexString(before) + " to 0x" + Long.toHexString(features) + ")");
        }
        negotiation.acknowledge(features);
        if (!negotiation.has(Negotiation.PROTOCOL_FEATURES)) {
            // Without protocol features there is no SET_VRING_ENABLE: rings are enabled from the start (VHU-FEAT-5).
            rings.all().forEach(ring -> ring.setEnabled(true));
        }
        updateLogging();
        if (changesRings || !featuresSet) {
            featuresSet = true;
            // LOG_ALL concerns front-end and back-end only, even if a front-end lets its driver acknowledge it
            // (VHU-FEAT-6).
            device.featuresAcknowledged(features & ~Negotiation.LOG_ALL);
        }
        backEndChannel.flush();
    }

    /** VHU-PST-5: mapped and watched, and not touched before the front-end knows the addresses. */
    private Reply prepareTable(List<RegionDescription> regions, List<Fd> files) throws LinuxException {
        List<MemoryRegion> mapped = memoryTable.prepare(regions, files, postCopy::watch);
        List<RegionDescription> told = new ArrayList<>();
        for (int i = 0; i < mapped.size(); i++) {
            told.add(regions.get(i).at(postCopy.address(mapped.get(i))));
        }
        return Reply.regions(told);
    }

    private void findLatePages(MemoryRegion region) throws LinuxException {
        region.comesBy(listener.pagesOf(region, frontEnd, this::pagesCame));
    }

    private Reply prepareRegion(RegionDescription region, Fd file) throws LinuxException {
        MemoryRegion mapped = memoryTable.prepare(region, file, postCopy::watch);
        return Reply.region(region.at(postCopy.address(mapped)));
    }

    private void memoryAcknowledged() throws LinuxException {
        if (memoryTable.isWaiting()) {
            changeMemory(memoryTable::acknowledge);
        } else if (!postCopy.isListening()) {
            throw new FrontEndFault("a memory table without regions came, but there is nothing to acknowledge");
        }
        // Otherwise a superfluous one: QEMU acknowledges once for all regions that it changes, even if it adds none.
    }

    private void listen() throws LinuxException {
        postCopy.listen(rings.anyStarted());
        device.memoryArrives();
    }

    /** POSTCOPY_END: continues everything that waited for pages. */
    private void arrived() {
        pagesCame();
        device.memoryArrives();
    }

    /** Pages have arrived for which a queue or its start waits, or all have. */
    private void pagesCame() {
        if (closed) {
            return;
        }
        Runnable waiting = afterDiscards;
        if (waiting != null && !memory.isDiscarding()) {
            afterDiscards = null;
            waiting.run();
        }
        for (Ring ring : rings.all()) {
            if (ring.startWaits()) {
                startLate(ring);
            }
            if (ring.isMemoryMissing()) {
                rings.relocateAll();
                ring.processAgain();
            }
            Virtqueue queue = ring.queue();
            if (queue != null) {
                // It finds out itself whether it waits for these or other pages, or for pages to be given back.
                queue.pagesCame();
                ring.processAgain();
            }
        }
    }

    /** Runs a task when no memory is being given back any more; one at a time. Dropped if the session ends before. */
    void whenDiscarded(Runnable task) {
        afterDiscards = task;
    }

    private void startLate(Ring ring) {
        try {
            if (rings.startLate(ring)) {
                process(ring);
                backEndChannel.flush();
            }
        } catch (DriverFault e) {
            breakDown(ring, e);
        } catch (Throwable e) {
            failed.accept(e);
        }
    }

    private void pagesFailed(Throwable why) {
        if (!closed) {
            failed.accept(why);
        }
    }

    private void changeMemory(Action change) throws LinuxException {
        change.run();
        rings.relocateAll();
        releaseMemory();
        try {
            device.memoryChanged();
        } catch (PagesLate e) {
            throw new FrontEndFault("memory that a device uses was replaced by memory that is still to arrive");
        }
        rings.all().stream().filter(Ring::startWaits).forEach(this::startLate);
        // A ring whose memory is back may have missed a kick. Each in a step of its own, because one pass may take
        // long.
        rings.all().forEach(Ring::processAgain);
    }

    private void moveRing(RingAddresses addresses) {
        rings.setAddresses(addresses);
        releaseMemory();
        process(rings.get(addresses.index()));
    }

    /** Unmaps removed regions, when no ring is in them any more; step by step if there are many. */
    private void releaseMemory() {
        if (!rings.anyMemoryMissing() && memoryTable.releaseRemoved() && !releasing) {
            releasing = true;
            // Scheduled, not executed at once: between two steps the loop checks its descriptors.
            loop.schedule(Duration.ZERO, () -> {
                releasing = false;
                releaseMemory();
            });
        }
    }

    /** Replaces the log (VHU-LOG-6). */
    private void setLog(LogDescription description, Fd fd) throws LinuxException {
        FileStatus file = FileStatus.of(fd);
        if (!file.isRegularFile() || description.offset() > file.size() - description.size()) {
            throw new FrontEndFault("SET_LOG_BASE has " + description.size() + " bytes at offset "
                    + description.offset() + " of " + fd.description() + ", which has " + file.size());
        }
        DirtyLog newLog;
        try (SharedFile shared = new SharedFile(fd)) {
            newLog = DirtyLog.map(shared, description.offset(), description.size());
        }
        DirtyLog before = log;
        log = newLog;
        updateLogging();
        if (before != null) {
            before.close();
        }
    }

    private void updateLogging() {
        // VHU-LOG-5
        boolean before = memory.isLogged();
        memory.logTo(negotiation.has(Negotiation.LOG_ALL) ? log : null);
        if (memory.isLogged() != before) {
            device.loggingChanged();
        }
    }

    private void setLogNotifier(Fd fd) throws LinuxException {
        EventFd notifier = Rings.notifier("SET_LOG_FD", fd);
        if (logNotifier != null) {
            logNotifier.close();
        }
        logNotifier = notifier;
    }

    private void setBackEndChannel(Fd fd) throws LinuxException {
        if (!FileStatus.of(fd).isSocket()) {
            throw new FrontEndFault(
                    "SET_BACKEND_REQ_FD came with a descriptor that is not a socket: " + fd.description());
        }
        // VHU-BACK-1
        backEndChannel.use(new MessageSocket(fd));
    }

    private MemorySegment readConfig(ConfigAccess access) {
        // Bytes after the config space are zeros: some front-ends request more than the device has (VHU-CFG-3).
        byte[] space = new byte[ConfigAccess.MAX_SPACE];
        device.readConfig(MemorySegment.ofArray(space).asSlice(0, device.configSize()));
        return MemorySegment.ofArray(space).asSlice(access.offset(), access.size());
    }

    private void writeConfig(ConfigAccess access) {
        long inside = Math.min(access.size(), (long) device.configSize() - access.offset());
        if (inside > 0) {
            device.writeConfig(access.offset(), access.data().asSlice(0, inside));
        }
    }

    /** VHU-STAT-1 */
    private void setStatus(int value) {
        if (value == 0) {
            reset();
        } else {
            status = value | (status & STATUS_NEEDS_RESET);
        }
    }

    /** VHU-RST-1; memory stays (VHU-MEM-9). */
    private void reset() {
        rings.reset();
        forgetNeedsReset();
        releaseMemory();
        status = 0;
        // A device that was reset is told the features again, even if they are the same.
        featuresSet = false;
        device.reset();
    }

    /** The number of rings that their driver broke. */
    int brokenRings() {
        return rings.broken();
    }

    private void kickArrived(int index, @Nullable Fd notifier) throws LinuxException {
        if (stateTransfers.isLoading()) {
            throw new FrontEndFault("queue " + index + " was started while the device's state is being loaded");
        }
        try {
            rings.setKick(index, notifier);
        } catch (DriverFault e) {
            breakDown(rings.get(index), e);
            return;
        }
        if (rings.noneBroken()) {
            status &= ~STATUS_NEEDS_RESET;
        }
        // A ring starts here (VHU-RING-1), and chains that are already available come without another kick
        // (VHU-RING-2).
        process(rings.get(index));
        backEndChannel.flush();
    }

    private void enable(Ring ring, boolean enable) {
        ring.setEnabled(enable);
        if (!enable) {
            forgetNeedsReset();
        }
        // Kicks that came while the ring was disabled must not be lost (VHU-RING-6).
        process(ring);
        backEndChannel.flush();
    }

    /**
     * Processes what is available in a ring, at most as much as it has room for, and calls the driver if it wants to be
     * called.
     */
    private void process(Ring ring) {
        Virtqueue queue = ring.queue();
        if (queue == null || !ring.runs()) {
            return;
        }
        boolean more = false;
        try {
            queue.suppressKicks();
            queue.allow(queue.size());
            device.process(queue);
            more = queue.resumeKicks();
        } catch (DriverFault e) {
            breakDown(ring, e);
        }
        callIfWanted(queue);
        // VHU-PST-7: a queue that waits for pages goes on when they have arrived; more kicks change nothing.
        if (more && !queue.isLate()) {
            ring.processAgain();
        }
    }

    private void breakDown(Ring ring, DriverFault fault) {
        ring.breakDown();
        status |= STATUS_NEEDS_RESET;
        listener.fault(
                FaultKind.DRIVER,
                "queue " + ring.index() + " is stopped until the device is reset or started again: "
                        + new Fault.OfDriver(fault).what());
        if (needsReset == null) {
            needsReset = loop.schedule(NEEDS_RESET_DELAY, this::tellNeedsReset);
        }
    }

    /** VIRTIO, "Device Status Field": a device that needs a reset reports it by a configuration change. */
    private void tellNeedsReset() {
        needsReset = null;
        if (mayTell()) {
            configChanged();
        }
    }

    /** The driver or the front-end stops the device or a ring, so that no notification is needed any more. */
    private void forgetNeedsReset() {
        if (needsReset != null) {
            needsReset.cancel();
            needsReset = null;
        }
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    /** The front-end's requests are not read for a while (VHU-CFG-6). */
    void readingPaused() {
        backEndChannel.withdraw();
    }

    @Override
    public void configChanged() {
        backEndChannel.configChanged();
        backEndChannel.flush();
    }

    /** VHU-RING-10, VHU-CFG-4: only while the device runs; without CONFIG there is no such message. */
    private boolean mayTell() {
        return rings.anyStarted() && !rings.anyStartedIsDisabled() && negotiation.has(ProtocolFeature.CONFIG);
    }

    @Override
    public boolean mayPush(Virtqueue queue) {
        return rings.get(queue.index()).runs();
    }

    @Override
    public void callIfWanted(Virtqueue queue) {
        if (queue.needsCall()) {
            rings.get(queue.index()).signalCall();
        }
        // VHU-LOG-7
        if (logNotifier != null && memory.isLogged()) {
            logNotifier.signal();
        }
    }

    @Override
    public void processAgain(Virtqueue queue) {
        rings.get(queue.index()).processAgain();
    }

    @Override
    public void later(Runnable task) {
        // A task with a delay, even of 0: the loop checks its descriptors before it runs one.
        loop.schedule(Duration.ZERO, () -> {
            if (!closed) {
                try {
                    task.run();
                } catch (Throwable e) {
                    failed.accept(e);
                }
            }
        });
    }

    @Override
    public void driverFault(String what) {
        listener.fault(FaultKind.DRIVER, what);
    }

    @Override
    public void hostFault(String what) {
        listener.fault(FaultKind.HOST, what);
    }

    /** Ends the session: removes everything of it. Guest memory is not touched any more. */
    void close() {
        forgetNeedsReset();
        closed = true;
        memory.logTo(null);
        try {
            stateTransfers.close();
            rings.close();
            // Before the device is notified: a thread that waits for a page wakes up, and missing pages are not
            // touched.
            postCopy.close();
            device.disconnected();
        } finally {
            // Even if the device throws: what stayed open here would stay open until the process ends.
            backEndChannel.close();
            postCopy.close();
            memoryTable.clear();
            releaseMemory();
            if (log != null) {
                log.close();
            }
            if (logNotifier != null) {
                logNotifier.close();
            }
        }
    }
}
