package org.exomem.benchmarks.micro;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemListener;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.CorruptBitsException;
import org.exomem.vhostuser.backend.DeviceLink;
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

/** The memory device's part: one request from available to used. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class MemoryRequestBenchmark {
    private static final long FEATURES = Features.VERSION_1 | Features.INDIRECT_DESC;

    /** The place of the state: kept by this process only, or in memory outside of the heap like a mapped state file. */
    public enum Place {
        HEAP,
        NATIVE
    }

    /** The kind of ring. */
    public enum Format {
        SPLIT,
        PACKED
    }

    @Param
    public Place place = Place.HEAP;

    @Param
    public Format format = Format.SPLIT;

    private @Nullable SharedGuest guest;
    private @Nullable Arena arena;
    private @Nullable ReusedRequest request;
    private @Nullable Virtqueue queue;
    private @Nullable VirtioMem device;

    @Setup
    public void setUp() throws IOException, CorruptBitsException {
        SharedGuest shared = new SharedGuest();
        guest = shared;
        Arena opened = Arena.ofShared();
        arena = opened;
        MemoryRegionPlan plan = new MemoryRegionPlan(
                ReusedRequest.REGION, ReusedRequest.REGION_BYTES, ReusedRequest.BLOCK_BYTES, OptionalInt.empty());
        KeptBlocks kept = place == Place.HEAP ? KeptBlocks.ofHeap(plan) : outsideOfTheHeap(plan, opened);
        long features = FEATURES | (format == Format.PACKED ? Features.RING_PACKED : 0);
        ReusedRequest reused = new ReusedRequest(shared.ram(), features);
        request = reused;
        Virtqueue started = Virtqueue.create(reused.ring().setup(shared.memory()));
        queue = started;
        VirtioMem memory = new VirtioMem(kept, false, plan.size(), new Nobody());
        memory.connected(new NoLink(shared.memory()));
        memory.featuresAcknowledged(features);
        memory.queueStarted(started);
        device = memory;
    }

    private static KeptBlocks outsideOfTheHeap(MemoryRegionPlan plan, Arena arena) throws CorruptBitsException {
        MemorySegment memory = arena.allocate(KeptBlocks.bytes(plan), Long.BYTES);
        KeptBlocks.format(memory);
        return KeptBlocks.open(memory, plan);
    }

    @Benchmark
    public int state() {
        Objects.requireNonNull(request).makeAvailable(MemDriver.STATE);
        return serve(MemDriver.Answer.ACK);
    }

    /** Unplugging includes a system call for a hole. */
    @Benchmark
    public int plugOrUnplug() {
        Objects.requireNonNull(request).makeChangeAvailable();
        return serve(MemDriver.Answer.ACK);
    }

    /** A request that costs a hostile driver little must not cost the device more. */
    @Benchmark
    public int refused() {
        Objects.requireNonNull(request).makeAvailable(MemDriver.UNPLUG);
        return serve(MemDriver.Answer.ERROR);
    }

    private int serve(MemDriver.Answer expected) {
        Virtqueue requests = Objects.requireNonNull(queue);
        requests.suppressKicks();
        Objects.requireNonNull(device).process(requests);
        requests.resumeKicks();
        int answer = Objects.requireNonNull(request).answer();
        if (answer != expected.ordinal()) {
            throw new IllegalStateException("answered " + answer);
        }
        return requests.needsCall() ? 1 : 0;
    }

    @TearDown
    public void tearDown() {
        Objects.requireNonNull(guest).close();
        Objects.requireNonNull(arena).close();
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

    private static final class Nobody implements MemListener {
        @Override
        public void pluggedSizeChanged(long pluggedSize) {}

        @Override
        public void refused(String reason) {}
    }
}
