package org.exomem.backend.vm;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.state.BalloonStateFile;
import org.exomem.balloon.BalloonFeatures;
import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.FreePageRequests;
import org.exomem.balloon.FreePages;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.KeptBalloon;
import org.exomem.balloon.ToldPageKind;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageFeed;
import org.exomem.pages.Pages;
import org.exomem.pages.PromisedMemory;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.DirtyLog;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/**
 * The balloon of a VM. The operator's target is a logical size in bytes, the driver's is a number of pages of 4096 bytes in
 * the balloon. The operator's target is kept, and converted again whenever the size of the guest's memory changes. Used on
 * the VM's event loop, except {@link #close}.
 */
final class VmBalloon implements AutoCloseable {
    /** The device's name in events. */
    static final String NAME = "balloon";

    /** Returns how many bytes of the memory that a balloon's front-end shares are unplugged. */
    @FunctionalInterface
    interface Unplugged {
        long bytes(VirtioBalloon balloon);
    }

    private final BalloonConfig config;
    private final Consumer<VmEvent> events;
    private final Unplugged unplugged;
    private final VirtioBalloon balloon;
    private final Endpoint endpoint;
    private final Optional<BalloonStateFile> state;
    private final LongSupplier plugged;
    /** The operator's target less the bytes that memory devices have plugged; may be negative. */
    private OptionalLong targetUnplugged;
    /** An upper limit of the logical size in bytes, for a while. Not kept beyond this process. */
    private OptionalLong squeeze = OptionalLong.empty();

    private long pagesBeforeSqueeze;
    /** Completes when the guest next sends statistics. Shared by all who wait. */
    private CompletableFuture<BalloonStatistics> nextStatistics = new CompletableFuture<>();

    /**
     * @param state where its state is kept, if it is kept; remains the caller's
     * @param plugged returns the bytes that memory devices have plugged, which are a part of the operator's target
     * @param feed receives what the balloon learns of pages
     * @param memoryLimit the most bytes that a front-end may share
     * @param vmm attaches to the VMM of a clone
     * @throws IOException if the socket can't be listened on
     */
    VmBalloon(
            BalloonConfig config,
            Optional<BalloonStateFile> state,
            EventLoop loop,
            Consumer<VmEvent> events,
            Unplugged unplugged,
            LongSupplier plugged,
            PageFeed feed,
            PromisedMemory promised,
            long memoryLimit,
            VmmProcesses vmm)
            throws IOException {
        this.config = config;
        this.events = events;
        this.unplugged = unplugged;
        this.plugged = plugged;
        FrontEndWatch watch = new FrontEndWatch(
                config.vm(), NAME, loop, events, memoryLimit, this::presenceChanged, config.vmmQmp(), vmm);
        this.state = state;
        this.targetUnplugged = state.map(BalloonStateFile::size)
                .filter(OptionalLong::isPresent)
                .orElse(config.size());
        this.balloon = new VirtioBalloon(
                config.offered(),
                state.map(BalloonStateFile::kept).orElseGet(KeptBalloon::ofHeap),
                new DriverWatch(),
                feed,
                promised,
                loop);
        balloon.setStatisticsInterval(config.statisticsInterval());
        this.endpoint = watch.attach(config.attachment(), balloon);
    }

    /** The memory that the front-end shares; empty if none is connected. */
    List<MemoryRegion> sharedMemory() {
        return balloon.sharedMemory();
    }

    /** See {@link Endpoint#logOwnWritesTo}. */
    void logOwnWritesTo(@Nullable DirtyLog log) {
        endpoint.logOwnWritesTo(log);
    }

    /** Any thread may call this. */
    boolean isConnected() {
        return endpoint.isConnected();
    }

    /** See {@link Endpoint#brokenQueues}. */
    int brokenQueues() {
        return endpoint.brokenQueues();
    }

    VmFigures.OfBalloon figures() {
        return new VmFigures.OfBalloon(balloon.statistics(), balloon.freePages(), balloon.freePageBitmap());
    }

    VmState.Balloon state() {
        long memory = memory();
        return new VmState.Balloon(
                endpoint.isConnected(),
                memory,
                target(),
                logicalSize(memory, balloon.actual()),
                Pages.bytes(balloon.pagesInBalloon()),
                features(),
                balloon.statisticsInterval());
    }

    /** Translates feature bit 3, which has another meaning in the format of 2016. */
    private List<String> features() {
        long bits = balloon.acknowledgedFeatures();
        return FeatureNames.of(
                config.offered().freePages() == FreePageRequests.RFC && balloon.givesBitmaps()
                        ? bits & ~BalloonFeatures.GET_FREE_PAGES | BalloonFeatures.FREE_PAGE_BITMAP
                        : bits);
    }

    /** Bytes of the guest's memory, without unplugged blocks; 0 while none is shared. */
    private long memory() {
        return Math.max(0, balloon.guestMemoryBytes() - unplugged.bytes(balloon));
    }

    private static long logicalSize(long memory, long pages) {
        return Math.max(0, memory - Pages.bytes(pages));
    }

    void resize(long bytes) {
        long base = bytes - plugged.getAsLong();
        targetUnplugged = OptionalLong.of(base);
        state.ifPresent(file -> file.keepSize(base));
        applyTarget();
    }

    /** The operator's target. It grows with the bytes that the guest plugs, so that the balloon keeps its size. */
    private OptionalLong target() {
        if (targetUnplugged.isEmpty()) {
            return targetUnplugged;
        }
        long more = plugged.getAsLong();
        return OptionalLong.of(Math.max(1, Math.min(targetUnplugged.getAsLong(), Long.MAX_VALUE - more) + more));
    }

    /** Limits the logical size to {@code bytes} until {@link #endSqueeze}. */
    void squeeze(long bytes) {
        if (squeeze.isEmpty()) {
            pagesBeforeSqueeze = balloon.numPages();
        }
        squeeze = OptionalLong.of(bytes);
        applyTarget();
    }

    void endSqueeze() {
        if (squeeze.isPresent()) {
            squeeze = OptionalLong.empty();
            if (targetUnplugged.isEmpty()) {
                balloon.setNumPages(pagesBeforeSqueeze);
            }
            applyTarget();
        }
    }

    private void applyTarget() {
        long memory = memory();
        OptionalLong target = target();
        if (target.isEmpty() && squeeze.isEmpty() || memory == 0) {
            return;
        }
        long size = Math.min(target.orElse(Long.MAX_VALUE), squeeze.orElse(Long.MAX_VALUE));
        long pages = Math.min(Pages.floor(Math.max(0, memory - size)), VirtioBalloon.MAX_PAGES);
        if (pages != balloon.numPages()) {
            balloon.setNumPages(pages);
        }
    }

    BalloonStatistics statistics() {
        require(BalloonFeatures.STATS_VQ, "has not negotiated statistics");
        balloon.requestStatistics();
        return balloon.statistics();
    }

    /** Requests statistics. Completes on the loop when they have arrived. */
    CompletableFuture<BalloonStatistics> nextStatistics() {
        statistics();
        // A copy, because a caller that gives up must not end the wait of others.
        return nextStatistics.copy();
    }

    /** Fails the requests for statistics: the front-end has come or gone, so no answer comes any more. */
    private void presenceChanged() {
        CompletableFuture<BalloonStatistics> never = nextStatistics;
        nextStatistics = new CompletableFuture<>();
        never.completeExceptionally(notConnected());
    }

    void statisticsInterval(int seconds) {
        balloon.setStatisticsInterval(seconds);
    }

    void hint(HintAction action) {
        require(BalloonFeatures.FREE_PAGE_HINT, "has not negotiated free page hinting");
        try {
            switch (action) {
                case START -> balloon.startHinting();
                case STOP -> balloon.stopHinting();
                case DONE -> balloon.finishHinting();
            }
        } catch (IllegalStateException e) {
            throw new VirtualMachine.NotActive("VM \"" + config.vm() + "\": " + e.getMessage());
        }
    }

    FreePages freePages() {
        return balloon.freePages();
    }

    long[] told(ToldPageKind kind, int gib) {
        return balloon.told(kind, gib);
    }

    void askForFreePages(BitmapRequest request) {
        try {
            balloon.askForFreePages(request);
        } catch (IllegalStateException e) {
            throw new VirtualMachine.NotActive("VM \"" + config.vm() + "\": " + e.getMessage());
        }
    }

    void cancelFreePages() {
        balloon.cancelFreePages();
    }

    List<PageDescriptors> pageDescriptors() {
        return balloon.pageDescriptors();
    }

    BitmapAnswer freePageBitmap() {
        return balloon.freePageBitmap();
    }

    private void require(long feature, String otherwise) {
        if (!endpoint.isConnected()) {
            throw notConnected();
        }
        if ((balloon.acknowledgedFeatures() & feature) == 0) {
            throw new VirtualMachine.NotActive("VM \"" + config.vm() + "\": the guest's driver " + otherwise);
        }
    }

    private VirtualMachine.NotActive notConnected() {
        return new VirtualMachine.NotActive("VM \"" + config.vm() + "\": no VMM is connected");
    }

    /** Ends the device for good, while its VM goes on. On the loop. Its state may be closed afterwards. */
    void retire() {
        balloon.setStatisticsInterval(0);
        endpoint.close();
    }

    /** Disconnects the front-end and removes the socket. Any thread may call this. */
    @Override
    public void close() {
        endpoint.close();
    }

    private final class DriverWatch implements BalloonListener {
        @Override
        public void actualChanged(long actual) {
            events.accept(new VmEvent.BalloonChange(config.vm(), logicalSize(memory(), actual)));
        }

        @Override
        public void guestMemoryChanged(long bytes) {
            applyTarget();
        }

        @Override
        public void statisticsUpdated() {
            CompletableFuture<BalloonStatistics> waited = nextStatistics;
            nextStatistics = new CompletableFuture<>();
            waited.complete(balloon.statistics());
        }

        @Override
        public void hintingChanged(HintingState state) {}
    }
}
