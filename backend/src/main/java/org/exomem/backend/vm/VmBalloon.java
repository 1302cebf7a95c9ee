package org.exomem.backend.vm;

import java.io.IOException;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.exomem.backend.config.Attachment;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.balloon.BalloonFeatures;
import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.FreePages;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.linux.Fd;
import org.exomem.vhostuser.memory.PageFeed;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A VM with a balloon, on an event loop of its own. The operator's wish is a logical size in bytes; the driver's is a
 * number of pages in the balloon. The wish is kept, and translated again whenever the guest's memory is known anew.
 */
public final class BalloonVm implements VirtualMachine, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BalloonVm.class);
    private static final int PAGE_SHIFT = 12;

    private final BalloonConfig config;
    private final EventLoop loop;
    private final Consumer<VmEvent> events;
    private final VirtioBalloon balloon;
    private final Endpoint endpoint;
    private OptionalLong wish;

    /**
     * Starts the VM's event loop and attaches its balloon.
     *
     * @param events is told on the VM's loop what happens
     * @throws IOException if the socket can't be listened on
     */
    public static BalloonVm start(BalloonConfig config, Consumer<VmEvent> events) throws IOException {
        EventLoop loop = new EventLoop("vm-" + config.vm());
        try {
            return new BalloonVm(config, loop, events);
        } catch (IOException | RuntimeException e) {
            loop.close();
            throw e;
        }
    }

    private BalloonVm(BalloonConfig config, EventLoop loop, Consumer<VmEvent> events) throws IOException {
        this.config = config;
        this.loop = loop;
        this.events = events;
        this.wish = config.size();
        this.balloon = new VirtioBalloon(config.options(), new DriverWatch(), new PageFeed(1), loop);
        loop.submit(() -> {
                    balloon.setStatisticsInterval(config.statisticsInterval());
                    return true;
                })
                .join();
        this.endpoint = attach(new FrontEndWatch());
    }

    private Endpoint attach(EndpointListener listener) throws IOException {
        return switch (config.attachment()) {
            case Attachment.Listen listen -> Endpoint.listen(listen.socket(), balloon, loop, listener);
            case Attachment.Connect connect -> Endpoint.connect(connect.socket(), balloon, loop, listener);
            case Attachment.Inherited inherited -> Endpoint.inherit(new Fd(inherited.fd()), balloon, loop, listener);
        };
    }

    @Override
    public String name() {
        return config.vm();
    }

    @Override
    public CompletableFuture<VmState> state() {
        return loop.submit(() -> {
            long memory = balloon.guestMemoryBytes();
            return new VmState(
                    name(),
                    config.attachment().toString(),
                    endpoint.isConnected(),
                    memory,
                    wish,
                    logicalSize(memory, balloon.actual()),
                    balloon.pagesInBalloon() << PAGE_SHIFT,
                    FeatureNames.of(balloon.acknowledgedFeatures()),
                    balloon.statisticsInterval());
        });
    }

    private static long logicalSize(long memory, long pages) {
        return Math.max(0, memory - (pages << PAGE_SHIFT));
    }

    @Override
    public CompletableFuture<Void> resize(long bytes) {
        return run(() -> {
            wish = OptionalLong.of(bytes);
            applyWish();
        });
    }

    private void applyWish() {
        long memory = balloon.guestMemoryBytes();
        if (wish.isEmpty() || memory == 0) {
            return;
        }
        long pages = Math.min(Math.max(0, memory - wish.getAsLong()) >> PAGE_SHIFT, VirtioBalloon.MAX_PAGES);
        if (pages != balloon.numPages()) {
            balloon.setNumPages(pages);
        }
    }

    @Override
    public CompletableFuture<BalloonStatistics> statistics() {
        return loop.submit(() -> {
            require(BalloonFeatures.STATS_VQ, "has not agreed to give statistics");
            balloon.requestStatistics();
            return balloon.statistics();
        });
    }

    @Override
    public CompletableFuture<Void> statisticsInterval(int seconds) {
        return run(() -> balloon.setStatisticsInterval(seconds));
    }

    @Override
    public CompletableFuture<Void> hint(HintAction action) {
        return run(() -> {
            require(BalloonFeatures.FREE_PAGE_HINT, "has not agreed to hint free pages");
            try {
                switch (action) {
                    case START -> balloon.startHinting();
                    case STOP -> balloon.stopHinting();
                    case DONE -> balloon.finishHinting();
                }
            } catch (IllegalStateException e) {
                throw new NotActive("VM \"" + name() + "\": " + e.getMessage());
            }
        });
    }

    @Override
    public CompletableFuture<FreePages> freePages() {
        return loop.submit(balloon::freePages);
    }

    private void require(long feature, String otherwise) {
        if (!endpoint.isConnected()) {
            throw new NotActive("VM \"" + name() + "\": no front-end is connected");
        }
        if ((balloon.acknowledgedFeatures() & feature) == 0) {
            throw new NotActive("VM \"" + name() + "\": the guest's driver " + otherwise);
        }
    }

    private CompletableFuture<Void> run(Runnable task) {
        Callable<Void> call = () -> {
            task.run();
            return null;
        };
        return loop.submit(call);
    }

    /** Disconnects, removes the socket and ends the loop. */
    @Override
    public void close() {
        endpoint.close();
        loop.close();
    }

    private final class FrontEndWatch implements EndpointListener {
        @Override
        public void connected() {
            LOG.info("{}: a front-end has connected", name());
            events.accept(new VmEvent.Connected(name()));
        }

        @Override
        public void disconnected(String reason) {
            LOG.info("{}: disconnected: {}", name(), reason);
            events.accept(new VmEvent.Disconnected(name(), reason));
        }

        @Override
        public void fault(FaultKind kind, String message) {
            LOG.warn("{}: {}", name(), message);
            events.accept(new VmEvent.Fault(name(), kind, message));
        }
    }

    private final class DriverWatch implements BalloonListener {
        @Override
        public void actualChanged(long actual) {
            events.accept(new VmEvent.BalloonChange(name(), logicalSize(balloon.guestMemoryBytes(), actual)));
        }

        @Override
        public void guestMemoryChanged(long bytes) {
            applyWish();
        }

        @Override
        public void statisticsUpdated() {}

        @Override
        public void hintingChanged(HintingState state) {}
    }
}
