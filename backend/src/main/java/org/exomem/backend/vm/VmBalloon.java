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
 * The balloon of a VM. The operator's target is a logical size in bytes; the driver's is a number of pages in the balloon.
 * The target is kept, and translated again whenever the guest's memory is known anew. Belongs on the
 * VM's event loop, but for {@link #close}.
 */
final class VmBalloon implements AutoCloseable {
    /** What events call it. */
    static final String NAME = "balloon";

    /** Tells how much of the memory that a balloon's front-end shares the guest does not have. */
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
    /** What the operator wants the guest to have without what memory devices have plugged, perhaps less than 0. */
    private OptionalLong targetUnplugged;
    /** The guest is to be no larger while it is there, whatever the target; gone with this process. */
    private OptionalLong squeeze = OptionalLong.empty();

    private long pagesBeforeSqueeze;
    /** Done when the guest next gives statistics; one for all who wait. */
    private CompletableFuture<BalloonStatistics> nextStatistics = new CompletableFuture<>();

    /**
     * @param state where its state is kept, if it is; stays the caller's
     * @param plugged what memory devices have plugged, which is a part of what the operator wants
     * @param feed is told what the balloon learns of pages
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

    /** What the front-end shares, if one is connected. */
    List<MemoryRegion> sharedMemory() {
        return balloon.sharedMemory();
    }

    /** As {@link Endpoint#logOwnWritesTo}. */
    void logOwnWritesTo(@Nullable DirtyLog log) {
        endpoint.logOwnWritesTo(log);
    }

    /** From any thread. */
    boolean isConnected() {
        return endpoint.isConnected();
    }

    /** As {@link Endpoint#brokenQueues}. */
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

    /** Feature bit 3 has another meaning in the format of 2016. */
    private List<String> features() {
        long bits = balloon.acknowledgedFeatures();
        return FeatureNames.of(
                config.offered().freePages() == FreePageRequests.RFC && balloon.givesBitmaps()
                        ? bits & ~BalloonFeatures.GET_FREE_PAGES | BalloonFeatures.FREE_PAGE_BITMAP
                        : bits);
    }

    /** What the guest has of memory, without what is unplugged; 0 while nothing is shared. */
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

    /** What the operator wants now: as much more as the guest plugs, so that the balloon stays as large as it is. */
    private OptionalLong target() {
        if (targetUnplugged.isEmpty()) {
            return targetUnplugged;
        }
        long more = plugged.getAsLong();
        return OptionalLong.of(Math.max(1, Math.min(targetUnplugged.getAsLong(), Long.MAX_VALUE - more) + more));
    }

    /** Has the guest come to that logical size, if it is not to be smaller anyway, until {@link #endSqueeze}. */
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
        require(BalloonFeatures.STATS_VQ, "has not agreed to give statistics");
        balloon.requestStatistics();
        return balloon.statistics();
    }

    /** Done, on the loop, when the statistics have come that it asks for now. */
    CompletableFuture<BalloonStatistics> nextStatistics() {
        statistics();
        // A copy: a caller that gives up must not end the waiting of others.
        return nextStatistics.copy();
    }

    /** A front-end came or went: the guest that was asked for statistics does not answer any more. */
    private void presenceChanged() {
        CompletableFuture<BalloonStatistics> never = nextStatistics;
        nextStatistics = new CompletableFuture<>();
        never.completeExceptionally(notConnected());
    }

    void statisticsInterval(int seconds) {
        balloon.setStatisticsInterval(seconds);
    }

    void hint(HintAction action) {
        require(BalloonFeatures.FREE_PAGE_HINT, "has not agreed to hint free pages");
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

    /** Ends the device for good while its VM goes on; on the loop. Its state may be closed afterwards. */
    void retire() {
        balloon.setStatisticsInterval(0);
        endpoint.close();
    }

    /** Disconnects and removes the socket. */
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
