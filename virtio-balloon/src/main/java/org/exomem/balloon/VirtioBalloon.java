package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.PromisedMemory;
import org.exomem.pages.StoredNumber;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.DeviceState;
import org.exomem.vhostuser.backend.DriverRun;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * A memory balloon (VIRTIO, "Traditional Memory Balloon Device"). It asks the driver for guest memory ({@link
 * #setNumPages}), and learns which pages the guest does not use. Call every method on the event loop of its VM. All pages
 * have 4096 bytes, whatever pages guest and host use.
 *
 * <p>The object outlives front-ends and guests. The operator's settings stay: {@link #numPages} and the statistics interval.
 * The rest belongs to one run of the guest's driver and ends with it: {@link #actual}, the pages in the balloon, poison_val,
 * the hint session, statistics. A device is not notified reliably when a guest reboots or loads its driver anew. {@link
 * BalloonedPages} has the rule that distinguishes a new run of the driver from one that continues after a pause or a
 * reconnect.
 */
public final class VirtioBalloon implements VhostUserDevice {
    private static final long[] NOTHING_TOLD = {};
    /** The largest size of a balloon, in pages of 4096 bytes: 16 TiB less a page. */
    public static final long MAX_PAGES = (1L << 32) - 1;

    private static final int DEVICE_ID = 5;
    private static final int MAX_QUEUES = 6;
    private final BalloonOptions options;
    private final BalloonListener listener;
    private final BalloonedPages pages;
    private final StepBudget budget = new StepBudget();
    private final LeftAlone leftAlone = new LeftAlone(System::nanoTime, this::driverFault);
    private final Discarder discarder;
    private final Hinting hinting;
    private final Reporting reporting;
    private final FreePageBitmap bitmap;
    private final StatisticsQueue statistics;
    private final StatisticsInterval statisticsInterval;
    private final DriverFields driverFields;
    private final KeptBalloon kept;
    private final StoredNumber numPages;
    private final BalloonState state;
    /** The role of each running queue, fixed when it starts; null for a queue that does not run or has no role. */
    private final @Nullable QueueRole[] roles = new QueueRole[MAX_QUEUES];

    private int runningQueues;
    private @Nullable DeviceLink link;
    private @Nullable Inflation inflation;
    private long features;
    /** The config space has changed and the driver could not be notified. */
    private boolean configUntold;

    /**
     * @param options what to offer
     * @param listener receives what the driver does
     * @param feed receives which pages the guest does not use
     * @param loop the event loop of the VM
     */
    public VirtioBalloon(BalloonOptions options, BalloonListener listener, PageFeed feed, EventLoop loop) {
        this(options, KeptBalloon.ofHeap(), listener, feed, loop);
    }

    /** @param kept the balloon's state from before; used by this device only */
    public VirtioBalloon(
            BalloonOptions options, KeptBalloon kept, BalloonListener listener, PageFeed feed, EventLoop loop) {
        this(options, kept, listener, feed, new PromisedMemory(), loop);
    }

    /** @param promised memory that is not given back to the host although it is reported (BAL-REP-4) */
    public VirtioBalloon(
            BalloonOptions options,
            KeptBalloon kept,
            BalloonListener listener,
            PageFeed feed,
            PromisedMemory promised,
            EventLoop loop) {
        this(options, kept, listener, feed, promised, loop::schedule, SharedFile::punchHole);
    }

    VirtioBalloon(
            BalloonOptions options,
            KeptBalloon kept,
            BalloonListener listener,
            PageFeed feed,
            PromisedMemory promised,
            StatisticsInterval.Scheduler scheduler,
            Discarder.Punch punch) {
        this.options = options;
        this.listener = listener;
        this.pages = new BalloonedPages(feed, kept);
        this.driverFields = new DriverFields(kept);
        this.kept = kept;
        this.numPages = kept.numPages;
        this.state = new BalloonState(kept, this::moveHere);
        this.configUntold = kept.hasDriver();
        this.discarder = new Discarder(punch, this::hostFault, budget);
        this.hinting = new Hinting(feed, listener::hintingChanged, kept.commandId, leftAlone, budget);
        this.reporting = new Reporting(feed, options.discard() ? discarder : null, promised, leftAlone, budget);
        BitmapFormat format = isOfRfc() ? new RfcFormat(() -> PcMemory.lowBytes(sharedMemory())) : new ChunkFormat();
        this.bitmap = new FreePageBitmap(format, feed, this::mayPush, this::callIfWanted, leftAlone, budget);
        this.statistics = new StatisticsQueue(this::mayPush, this::callIfWanted, listener::statisticsUpdated, budget);
        this.statisticsInterval = new StatisticsInterval(scheduler, statistics::request);
    }

    /**
     * Asks the driver for a balloon of this size. The driver reaches it when it can.
     *
     * @param wanted in pages of 4096 bytes, 0 to {@link #MAX_PAGES}
     */
    public void setNumPages(long wanted) {
        if (wanted < 0 || wanted > MAX_PAGES) {
            throw new IllegalArgumentException("a balloon can't have " + wanted + " pages; must be 0 to " + MAX_PAGES);
        }
        numPages.set((int) wanted);
        configChanged();
    }

    /** The requested size, in pages of 4096 bytes. */
    public long numPages() {
        return Integer.toUnsignedLong(numPages.get());
    }

    /**
     * The size of the balloon that the driver last wrote into the config space, in pages of 4096 bytes. Nothing else depends
     * on it: some drivers write it late or never. {@link #pagesInBalloon} is the device's own count.
     */
    public long actual() {
        // BAL-CFG-2: whenever the driver wrote it.
        return Integer.toUnsignedLong(driverFields.actual());
    }

    /** The number of 4096-byte pages that the driver has put in and not taken out. */
    public long pagesInBalloon() {
        return pages.count();
    }

    /** The bytes of guest memory that the connected front-end shares; 0 if none is connected. */
    public long guestMemoryBytes() {
        return link == null ? 0 : link.memory().size();
    }

    /** The bytes of shared memory in a range of guest addresses below 2^63. */
    public long guestMemoryBytes(long address, long length) {
        return link == null ? 0 : link.memory().sizeWithin(address, length);
    }

    /**
     * The memory that the connected front-end shares; it stays mapped while it is shared. Empty if no front-end is
     * connected.
     */
    public List<MemoryRegion> sharedMemory() {
        return link == null ? List.of() : link.memory().regions();
    }

    /** All feature bits that the driver acknowledged, including the transport's; 0 if no front-end is connected. */
    public long acknowledgedFeatures() {
        return features;
    }

    /** The last statistics of the guest's memory. */
    public BalloonStatistics statistics() {
        return statistics.statistics();
    }

    /** Sets the interval in seconds at which statistics are requested; a changed interval asks at once, 0 stops asking. */
    public void setStatisticsInterval(int seconds) {
        statisticsInterval.set(seconds);
    }

    /** The seconds between two requests for statistics; 0 if there are none. */
    public int statisticsInterval() {
        return statisticsInterval.seconds();
    }

    /** Asks for statistics now. Does nothing if there is no driver, or while an answer is awaited. */
    public void requestStatistics() {
        statistics.request();
    }

    /**
     * Asks the driver for hints, under a new command id; a session under way is replaced.
     *
     * @throws IllegalStateException if no driver can give hints, with the reason
     */
    public void startHinting() {
        if (link == null) {
            throw new IllegalStateException("no VMM is connected, so there is no guest to give hints");
        }
        if (isOfRfc() || (features & BalloonFeatures.FREE_PAGE_HINT) == 0) {
            throw new IllegalStateException("free page hinting is not negotiated: "
                    + (options.freePageHinting() ? "the guest's driver does not support it" : "it is disabled here"));
        }
        if (!runs(QueueRole.FREE_PAGES)) {
            throw new IllegalStateException("the guest's driver has not started its free page queue");
        }
        changeHinting(Hinting::start);
    }

    /** Asks for no more hints. The driver keeps the pages that it hinted. */
    public void stopHinting() {
        changeHinting(Hinting::stop);
    }

    /** Lets the driver use the hinted pages again; ends a session under way. */
    public void finishHinting() {
        changeHinting(Hinting::finish);
    }

    /**
     * Asks the driver which pages are free, under a new id; a request under way ends. The request is sent when the driver
     * has made a buffer available for it. The page feed receives a hint session with that id.
     *
     * @throws IllegalStateException if no driver can answer, with the reason
     */
    public void askForFreePages(BitmapRequest request) {
        if (link == null) {
            throw new IllegalStateException("no VMM is connected, so there is no guest to ask");
        }
        if (!givesBitmaps()) {
            throw new IllegalStateException("free page bitmaps are not negotiated: "
                    + (options.freePages() == FreePageRequests.OFF
                            ? "they are disabled here"
                            : "the guest's driver does not support them (exomem's driver for Linux does)"));
        }
        if (!runs(QueueRole.BITMAP)) {
            throw new IllegalStateException("the guest's driver has not started its bitmap queue: the VMM's device"
                    + " needs " + QueueRole.count(features) + " queues");
        }
        bitmap.ask(request, (features & BalloonFeatures.PAGE_POISON) != 0);
    }

    /** True if the driver has agreed to answer with bitmaps, in either format. */
    public boolean givesBitmaps() {
        long feature = isOfRfc() ? BalloonFeatures.GET_FREE_PAGES : BalloonFeatures.FREE_PAGE_BITMAP;
        return (features & feature) != 0 && options.freePages() != FreePageRequests.OFF;
    }

    private boolean isOfRfc() {
        return options.freePages() == FreePageRequests.RFC;
    }

    /** The role of a queue. In the format of 2016 the free page queue carries bitmaps (FPB-RFC-1). */
    private @Nullable QueueRole roleOf(int index) {
        QueueRole role = QueueRole.of(index, features);
        return isOfRfc() && role == QueueRole.FREE_PAGES ? QueueRole.BITMAP : role;
    }

    /** Ends the request for free pages, if any. */
    public void cancelFreePages() {
        bitmap.cancel();
    }

    /** The state and result of the last request for free pages. */
    public BitmapAnswer freePageBitmap() {
        return bitmap.answer();
    }

    /**
     * The page descriptors that the guest's driver has sent since its last reset, one element for each message (FPB-DESC-1).
     * Empty if there are none, if the guest expects free pages to keep their content (FPB-DESC-10), and while the bitmap
     * queue does not run: front-ends stop it in the same way for a paused guest and for a reset one. So call this before the
     * guest is paused or the device unplugged. The result is valid until the guest's machine is reset (FPB-DESC-12).
     */
    public List<PageDescriptors> pageDescriptors() {
        return (features & BalloonFeatures.PAGE_POISON) != 0 ? List.of() : bitmap.descriptors();
    }

    /** The state of free page hinting and reporting. */
    public FreePages freePages() {
        return new FreePages(
                hinting.state(),
                hinting.commandId(),
                hinting.hintedBytes(),
                reporting.bytes(),
                reporting.reports(),
                discarder.discardedBytes(),
                leftAlone.pages());
    }

    /**
     * What the driver has told the device about the pages of a GiB. On the event loop; takes some 5 us.
     *
     * @param gib the number of the GiB, from guest address 0 on
     * @return a bit for each page of 4096 bytes, in {@link PageSet#CHUNK_WORDS} words of 64, as a copy; empty if no bit is
     *     set
     */
    public long[] told(ToldPageKind kind, int gib) {
        return switch (kind) {
            case BALLOONED -> pages.count() == 0 ? NOTHING_TOLD : pages.set().copy(gib);
            case HINTED -> hinting.told(gib);
            case FREE -> bitmap.told(gib);
            case REPORTED -> reporting.told(gib);
        };
    }

    @Override
    public int deviceId() {
        return DEVICE_ID;
    }

    @Override
    public long features() {
        return options.features();
    }

    @Override
    public int maxQueues() {
        return MAX_QUEUES;
    }

    @Override
    public int configSize() {
        return BalloonConfig.SIZE;
    }

    @Override
    public void readConfig(MemorySegment config) {
        config().writeTo(config);
    }

    private BalloonConfig config() {
        return new BalloonConfig(
                numPages.get(), driverFields.actual(), hinting.configValue(), driverFields.poisonVal());
    }

    @Override
    public void writeConfig(int offset, MemorySegment data) {
        long before = actual();
        driverFields.write(config(), offset, data, runningQueues != 0);
        tellActual(before);
    }

    private void tellActual(long before) {
        if (actual() != before) {
            listener.actualChanged(actual());
        }
    }

    @Override
    public void connected(DeviceLink newLink) {
        link = newLink;
        discarder.forget();
        inflation = new Inflation(pages, newLink.memory(), options.discard() ? discarder : null, leftAlone, budget);
    }

    @Override
    public void featuresAcknowledged(long acknowledged) {
        features = acknowledged;
        driverFields.featuresAcknowledged(acknowledged);
        pages.featuresAcknowledged((acknowledged & BalloonFeatures.MUST_TELL_HOST) != 0);
    }

    @Override
    public void queueStarted(Virtqueue queue) {
        if (runningQueues == 0) {
            driverFields.firstQueueStarts();
        }
        // BAL-FEAT-1: the role of a queue depends on the negotiated features.
        QueueRole role = roleOf(queue.index());
        roles[queue.index()] = role;
        runningQueues |= 1 << queue.index();
        DriverRun run = DriverRun.of(queue);
        switch (role) {
            case INFLATE -> driverStarted(queue);
            case STATISTICS -> statistics.started(queue);
            case FREE_PAGES -> {
                if (run != DriverRun.GOES_ON) {
                    hinting.driverIsNew();
                }
            }
            case BITMAP -> bitmap.started(queue, Objects.requireNonNull(link).memory());
            case DEFLATE, REPORTING -> {}
            case null -> {}
        }
        // A driver that starts reads the config space; one that continues must be notified.
        if (configUntold && run != DriverRun.NEW) {
            configChanged();
        }
    }

    @Override
    public DeviceState state() {
        return state;
    }

    private void moveHere(MemorySegment moved) {
        BalloonState.takePages(moved, kept);
        BalloonState.takeNumbers(moved, kept);
        pages.movedHere();
        driverFields.putAside();
        hinting.movedHere();
        bitmap.driverGone();
        configUntold = true;
    }

    private void driverStarted(Virtqueue queue) {
        long before = actual();
        DriverRun run = DriverRun.of(queue, pages.position(), pages.unnotedMoves(queue.size()));
        driverFields.driverStarted(pages.inflateQueueStarted(queue.base(), run));
        tellActual(before);
    }

    @Override
    public void process(Virtqueue queue) {
        budget.begin();
        try {
            DeviceLink to = Objects.requireNonNull(link);
            // BAL-STEP-1: the loop does everything else that waits before it continues the chains in hand. The session
            // continues those that wait until memory was given back.
            if (serve(queue) && !to.memory().isDiscarding()) {
                to.processAgain(queue);
            }
        } finally {
            leftAlone.tell();
        }
    }

    /** Returns true if chains are in hand that the next step continues. */
    private boolean serve(Virtqueue queue) {
        return switch (roles[queue.index()]) {
            case INFLATE, DEFLATE -> servePages(queue);
            case REPORTING -> report(queue);
            case BITMAP -> bitmap.process(queue);
            case STATISTICS -> {
                statistics.process(queue);
                yield false;
            }
            case FREE_PAGES -> {
                processHints(queue);
                yield false;
            }
            case null -> {
                refuse(queue);
                yield false;
            }
        };
    }

    private boolean report(Virtqueue queue) {
        GuestMemory memory = Objects.requireNonNull(link).memory();
        // BAL-POI-2, BAL-INF-8. A guest that finds its own value in free pages may rely on it, also where that value
        // is 0.
        boolean kept = driverFields.isPoisoned()
                || memory.isArriving()
                || (features & BalloonFeatures.PAGE_POISON) != 0 && !memory.discardsToZeros();
        return reporting.process(queue, memory, kept);
    }

    private boolean servePages(Virtqueue queue) {
        if (pages.isClearing()) {
            pages.clearSome();
            if (pages.isClearing()) {
                return true;
            }
        }
        return roles[queue.index()] == QueueRole.INFLATE
                ? inflate(queue)
                : Objects.requireNonNull(inflation).deflate(queue);
    }

    private boolean inflate(Virtqueue queue) {
        Inflation running = Objects.requireNonNull(inflation);
        try {
            return running.inflate(queue, (features & BalloonFeatures.MUST_TELL_HOST) != 0);
        } finally {
            pages.inflateQueueMoved(running.settledInflatePosition(queue));
        }
    }

    private void refuse(Virtqueue queue) {
        if (queue.hasAvailable()) {
            throw new DriverFault(
                    "queue " + queue.index() + " is used, but the negotiated features (0x" + Long.toHexString(features)
                            + ") give a balloon only queues 0 to " + (QueueRole.count(features) - 1));
        }
    }

    @Override
    public void queueStopped(Virtqueue queue, boolean completing) {
        QueueRole role = roles[queue.index()];
        roles[queue.index()] = null;
        runningQueues &= ~(1 << queue.index());
        switch (role) {
            case INFLATE -> {
                Inflation running = Objects.requireNonNull(inflation);
                boolean lost = !completing && running.hasInflateChains();
                int position = running.settledInflatePosition(queue);
                running.inflateQueueStopped(queue, completing);
                pages.inflateQueueStopped(position, lost);
            }
            case DEFLATE -> Objects.requireNonNull(inflation).deflateQueueStopped(queue, completing);
            case STATISTICS -> statistics.stopped(completing);
            case FREE_PAGES -> interruptHinting();
            case REPORTING -> reporting.stopped(queue, completing);
            case BITMAP -> bitmap.stopped(completing);
            case null -> {}
        }
        if (runningQueues == 0) {
            pages.noQueueRuns();
        }
    }

    @Override
    public void memoryChanged() {
        if (inflation != null) {
            inflation.memoryChanged();
        }
        if (link != null) {
            reporting.memoryChanged(link.memory());
        }
        bitmap.memoryChanged();
        listener.guestMemoryChanged(guestMemoryBytes());
    }

    @Override
    public void reset() {
        long before = actual();
        pages.putAside();
        driverFields.putAside();
        interruptHinting();
        statistics.clear();
        tellActual(before);
    }

    @Override
    public void disconnected() {
        reset();
        // Another guest may follow, at any position of the queue.
        bitmap.driverGone();
        features = 0;
        inflation = null;
        link = null;
        listener.guestMemoryChanged(0);
    }

    private boolean runs(QueueRole wanted) {
        for (QueueRole role : roles) {
            if (role == wanted) {
                return true;
            }
        }
        return false;
    }

    private void processHints(Virtqueue queue) {
        int before = hinting.configValue();
        hinting.process(queue);
        tellHinting(before);
    }

    private void changeHinting(Consumer<Hinting> change) {
        int before = hinting.configValue();
        change.accept(hinting);
        tellHinting(before);
    }

    private void tellHinting(int before) {
        if (hinting.configValue() != before) {
            configChanged();
        }
    }

    private void interruptHinting() {
        int before = hinting.configValue();
        hinting.interrupt();
        configUntold |= hinting.configValue() != before;
    }

    /** BAL-CFG-3: notifies the driver now, or when it continues. */
    private void configChanged() {
        configUntold = link == null || runningQueues == 0;
        if (link != null && runningQueues != 0) {
            link.configChanged();
        }
    }

    private boolean mayPush(Virtqueue queue) {
        return link != null && link.mayPush(queue);
    }

    private void callIfWanted(Virtqueue queue) {
        if (link != null) {
            link.callIfWanted(queue);
        }
    }

    private void driverFault(String what) {
        if (link != null) {
            link.driverFault(what);
        }
    }

    private void hostFault(String what) {
        if (link != null) {
            link.hostFault(what);
        }
    }
}
