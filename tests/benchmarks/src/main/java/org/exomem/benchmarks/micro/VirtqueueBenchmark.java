package org.exomem.benchmarks.micro;

import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.frontend.Features;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
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

/** One buffer from available to used, with the queue operations of a session around it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class VirtqueueBenchmark {
    private static final int SIZE = 128;
    private static final int BYTES = 1024;

    @Param({"false", "true"})
    public boolean packed;

    @Param({"false", "true"})
    public boolean eventIndex;

    @Param({"false", "true"})
    public boolean indirect;

    private final DescriptorChain chain = new DescriptorChain();
    private @Nullable SharedGuest guest;
    private @Nullable ReusedRing ring;
    private @Nullable Virtqueue queue;

    @Setup
    public void setUp() throws IOException {
        SharedGuest shared = new SharedGuest();
        guest = shared;
        long features = Features.VERSION_1
                | Features.INDIRECT_DESC
                | (packed ? Features.RING_PACKED : 0)
                | (eventIndex ? Features.EVENT_IDX : 0);
        long buffer = shared.ram().allocate(BYTES, 4);
        ReusedRing reused = ReusedRing.of(shared.ram(), SIZE, features, indirect, buffer, BYTES);
        ring = reused;
        queue = Virtqueue.create(reused.setup(shared.memory()));
    }

    @Benchmark
    public boolean popAndPush() {
        Virtqueue device = Objects.requireNonNull(queue);
        Objects.requireNonNull(ring).makeAvailable();
        device.suppressKicks();
        if (!device.pop(chain)) {
            throw new IllegalStateException("nothing is available");
        }
        device.push(chain, 0);
        boolean more = device.resumeKicks();
        return device.needsCall() | more;
    }

    @TearDown
    public void tearDown() {
        Objects.requireNonNull(guest).close();
    }
}
