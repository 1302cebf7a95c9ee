package org.exomem.benchmarks.micro;

import java.io.IOException;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.FreePageRequests;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.conformance.frontend.Features;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.Virtqueue;
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

/** The balloon's part: inflates a buffer of 256 page numbers, as Linux sends them, without a discard. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class InflateBenchmark {
    private static final int PFNS = 256;
    private static final int SIZE = 128;
    private static final int FIRST_PFN = 4096;
    private static final long SEED = 4711;

    /** The order of the page numbers. */
    public enum Order {
        ASCENDING,
        DESCENDING,
        SCATTERED
    }

    @Param
    public Order order = Order.ASCENDING;

    private @Nullable SharedGuest guest;
    private @Nullable EventLoop loop;
    private @Nullable ReusedRing ring;
    private @Nullable Virtqueue queue;
    private @Nullable VirtioBalloon balloon;

    @Setup
    public void setUp() throws IOException {
        SharedGuest shared = new SharedGuest();
        guest = shared;
        long buffer = shared.ram().allocate(4 * PFNS, 4);
        int[] pfns = pfns();
        for (int i = 0; i < PFNS; i++) {
            shared.ram().putInt(buffer + 4L * i, pfns[i]);
        }
        ReusedRing reused = ReusedRing.of(shared.ram(), SIZE, Features.VERSION_1, false, buffer, 4 * PFNS);
        ring = reused;
        Virtqueue inflate = Virtqueue.create(reused.setup(shared.memory()));
        queue = inflate;
        EventLoop events = new EventLoop("benchmark");
        loop = events;
        BalloonOptions counting =
                new BalloonOptions(false, true, false, true, true, true, FreePageRequests.BITMAP, false);
        VirtioBalloon device = new VirtioBalloon(counting, new Nobody(), new PageFeed(), events);
        device.connected(new NoLink(shared.memory()));
        device.featuresAcknowledged(Features.VERSION_1);
        device.queueStarted(inflate);
        balloon = device;
    }

    private int[] pfns() {
        return switch (order) {
            case ASCENDING -> IntStream.range(0, PFNS).map(i -> FIRST_PFN + i).toArray();
            case DESCENDING ->
                IntStream.range(0, PFNS).map(i -> FIRST_PFN + PFNS - i).toArray();
            case SCATTERED ->
                new Random(SEED)
                        .ints(PFNS, FIRST_PFN / 2, FIRST_PFN * 2)
                        .map(pfn -> 2 * pfn)
                        .toArray();
        };
    }

    @Benchmark
    public boolean inflate() {
        Virtqueue inflate = Objects.requireNonNull(queue);
        Objects.requireNonNull(ring).makeAvailable();
        inflate.suppressKicks();
        Objects.requireNonNull(balloon).process(inflate);
        boolean more = inflate.resumeKicks();
        return inflate.needsCall() | more;
    }

    @TearDown
    public void tearDown() {
        Objects.requireNonNull(loop).close();
        Objects.requireNonNull(guest).close();
    }

    private record NoLink(GuestMemory memory) implements DeviceLink {
        @Override
        public void configChanged() {}

        @Override
        public boolean mayPush(Virtqueue queue) {
            return true;
        }

        @Override
        public void callIfWanted(Virtqueue queue) {}

        @Override
        public void processAgain(Virtqueue queue) {
            throw new IllegalStateException("a chain must take one step");
        }

        @Override
        public void later(Runnable task) {
            task.run();
        }

        @Override
        public void driverFault(String what) {
            throw new IllegalStateException(what);
        }

        @Override
        public void hostFault(String what) {
            throw new IllegalStateException(what);
        }
    }

    private static final class Nobody implements BalloonListener {
        @Override
        public void actualChanged(long actual) {}

        @Override
        public void statisticsUpdated() {}

        @Override
        public void hintingChanged(HintingState state) {}
    }
}
