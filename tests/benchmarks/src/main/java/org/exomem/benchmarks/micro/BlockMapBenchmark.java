package org.exomem.benchmarks.micro;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.exomem.mem.BlockMap;
import org.exomem.pages.BitStore;
import org.exomem.pages.CorruptBitsException;
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
 * Reads the state of blocks of a region of 4 TiB in blocks of 2 MiB, compared with a plain loop over as many words. All
 * blocks are plugged, so the answer is known only after the last block. The range starts and ends within a word.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BlockMapBenchmark {
    /** The number of blocks of the region. */
    public static final long BLOCKS = (4L << 40) / (2L << 20);

    /** A heap array, or memory outside of the heap like a mapped file. */
    public enum Place {
        HEAP,
        NATIVE
    }

    @Param
    public Place place = Place.HEAP;

    /** One block; the most that a request can name; all but a few. */
    @Param({"1", "65535", "2097087"})
    public long blocks = 1;

    private final long first = 33;
    private long[] words = new long[0];
    private @Nullable BlockMap map;
    private @Nullable Arena arena;

    @Setup
    public void setUp() throws CorruptBitsException {
        Arena opened = Arena.ofShared();
        arena = opened;
        BlockMap all = new BlockMap(place == Place.HEAP ? BitStore.ofHeap(BLOCKS) : outsideOfTheHeap(opened), BLOCKS);
        all.set(0, BLOCKS, true);
        map = all;
        words = new long[(int) ((first + blocks + Long.SIZE - 1) / Long.SIZE)];
        Arrays.fill(words, -1L);
    }

    private static BitStore outsideOfTheHeap(Arena arena) throws CorruptBitsException {
        MemorySegment memory = arena.allocate(BitStore.bytes(BLOCKS), Long.BYTES);
        BitStore.format(memory);
        return BitStore.open(memory, BLOCKS);
    }

    @Benchmark
    public BlockMap.State state() {
        return Objects.requireNonNull(map).state(first, blocks);
    }

    @Benchmark
    public long pass() {
        long others = 0;
        for (long word : words) {
            others |= ~word;
        }
        return others;
    }

    @TearDown
    public void tearDown() {
        Objects.requireNonNull(arena).close();
    }
}
