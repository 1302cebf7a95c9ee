package org.exomem.benchmarks.micro;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.FreePageRequests;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.EventFd;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemListener;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.PageFeed;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The whole path: kick, event loop, session, queue, device, used ring, call. The driver is another thread, which
 * allocates nothing. So the allocations of an operation happen on that path.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class KickBenchmark {
    private static final int SIZE = 128;
    private static final long MEMORY = 64L << 20;

    /** The device at the end of the path: a page put into the balloon, or a block plugged and unplugged in turns. */
    public enum Served {
        BALLOON,
        MEMORY
    }

    @Param
    public Served served = Served.BALLOON;

    private @Nullable Path folder;
    private @Nullable EventLoop loop;
    private @Nullable Endpoint endpoint;
    private @Nullable GuestRam ram;
    private @Nullable AttachedDevice device;
    private @Nullable Runnable makeAvailable;
    private @Nullable EventFd kick;
    private @Nullable EventFd call;

    @Setup
    public void setUp() throws IOException {
        Path created = Files.createTempDirectory("exomem-benchmark");
        folder = created;
        Path socket = created.resolve("socket");
        EventLoop events = new EventLoop("benchmark");
        loop = events;
        endpoint = Endpoint.listen(socket, server(events), events, new FaultsOnly());

        GuestRam memory = GuestRam.ofSize(MEMORY);
        ram = memory;
        long features = Features.VERSION_1 | Features.INDIRECT_DESC | Features.PROTOCOL_FEATURES;
        FrontEnd frontEnd = FrontEnd.connect(socket);
        device = AttachedDevice.attach(frontEnd, memory, features, Features.Protocol.REPLY_ACK);
        ReusedRing reused = driver(memory, features);
        EventFd kicks = new EventFd();
        kick = kicks;
        EventFd calls = new EventFd();
        call = calls;
        frontEnd.setVringNum(0, SIZE);
        frontEnd.setVringBase(0, reused.base());
        frontEnd.setVringAddr(reused.addresses());
        frontEnd.setVringCall(0, calls);
        frontEnd.setVringKick(0, kicks);
        frontEnd.setVringEnable(0, true);
    }

    private VhostUserDevice server(EventLoop events) {
        return switch (served) {
            case BALLOON -> {
                BalloonOptions counting =
                        new BalloonOptions(false, true, false, true, true, true, FreePageRequests.BITMAP, false);
                yield new VirtioBalloon(counting, new Nobody(), new PageFeed(), events);
            }
            case MEMORY -> {
                MemoryRegionPlan plan = new MemoryRegionPlan(
                        ReusedRequest.REGION,
                        ReusedRequest.REGION_BYTES,
                        ReusedRequest.BLOCK_BYTES,
                        OptionalInt.empty());
                yield new VirtioMem(KeptBlocks.ofHeap(plan), false, plan.size(), new Nobody());
            }
        };
    }

    private ReusedRing driver(GuestRam memory, long features) {
        return switch (served) {
            case BALLOON -> {
                long buffer = memory.allocate(4, 4);
                memory.putInt(buffer, (int) Pages.floor(MEMORY) - 1);
                ReusedRing pages = ReusedRing.of(memory, SIZE, features, false, buffer, 4);
                makeAvailable = pages::makeAvailable;
                yield pages;
            }
            case MEMORY -> {
                ReusedRequest request = new ReusedRequest(memory, features);
                makeAvailable = request::makeChangeAvailable;
                yield request.ring();
            }
        };
    }

    @Benchmark
    public void kickToCall() {
        EventFd calls = Objects.requireNonNull(call);
        calls.drain();
        Objects.requireNonNull(makeAvailable).run();
        Objects.requireNonNull(kick).signal();
        while (!calls.drain()) {
            Thread.onSpinWait();
        }
    }

    @TearDown
    public void tearDown() throws IOException {
        Objects.requireNonNull(device).close();
        Objects.requireNonNull(endpoint).close();
        Objects.requireNonNull(loop).close();
        Objects.requireNonNull(ram).close();
        Objects.requireNonNull(kick).close();
        Objects.requireNonNull(call).close();
        Files.deleteIfExists(Objects.requireNonNull(folder));
    }

    private static final class FaultsOnly implements EndpointListener {
        @Override
        public void connected() {}

        @Override
        public void disconnected(String reason) {}

        @Override
        public void fault(FaultKind kind, String message) {
            throw new IllegalStateException(kind + ": " + message);
        }
    }

    private static final class Nobody implements BalloonListener, MemListener {
        @Override
        public void pluggedSizeChanged(long pluggedSize) {}

        @Override
        public void refused(String reason) {
            throw new IllegalStateException(reason);
        }

        @Override
        public void actualChanged(long actual) {}

        @Override
        public void statisticsUpdated() {}

        @Override
        public void hintingChanged(HintingState state) {}
    }
}
