package org.exomem.benchmarks.micro;

import java.io.IOException;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
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

/** Finds the region of a guest address: near the last address, and anywhere. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class GuestMemoryBenchmark {
    private static final long REGION = 1L << 20;
    private static final int ADDRESSES = 1 << 12;
    private static final long SEED = 4711;

    /** The number of regions in a small VM, in a PC, and with all slots in use. */
    @Param({"1", "2", "509"})
    public int regions = 1;

    private final GuestMemory memory = new GuestMemory();
    private final long[] addresses = new long[ADDRESSES];
    private int next;

    @Setup
    public void map() throws IOException {
        try (GuestRam ram = GuestRam.ofSize(REGION)) {
            for (int i = 0; i < regions; i++) {
                SharedFile file = new SharedFile(ram.file().fd().duplicate());
                memory.add(MemoryRegion.map(2 * i * REGION, REGION, 2 * i * REGION, 0, file));
            }
        }
        Random random = new Random(SEED);
        for (int i = 0; i < ADDRESSES; i++) {
            addresses[i] = 2 * random.nextInt(regions) * REGION + random.nextLong(REGION);
        }
    }

    @Benchmark
    public @Nullable MemoryRegion findNearby() {
        return memory.find(++next & REGION - 1);
    }

    @Benchmark
    public @Nullable MemoryRegion findAnywhere() {
        return memory.find(addresses[++next & ADDRESSES - 1]);
    }

    @TearDown
    public void unmap() {
        memory.close();
    }
}
