package org.exomem.benchmarks.micro;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.Fingerprint;
import org.exomem.pages.Pages;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** The fingerprint of a page, from cache and from memory: 819 ns are 5 GB/s. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class FingerprintBenchmark {

    @Param({"256", "262144"})
    public int kibibytes = 256;

    private final Fingerprint fingerprint = new Fingerprint(Fingerprint.newSeed(), Pages.SIZE);
    private final long[] found = new long[2];
    private MemorySegment memory = MemorySegment.NULL;
    private long at;

    @Setup
    public void fill() {
        memory = Arena.ofAuto().allocate(kibibytes * 1024L, Pages.SIZE);
        Random random = new Random(1);
        for (long i = 0; i < memory.byteSize(); i += Long.BYTES) {
            memory.set(JAVA_LONG, i, random.nextLong());
        }
    }

    @Benchmark
    public long page() {
        at += Pages.SIZE;
        if (at == memory.byteSize()) {
            at = 0;
        }
        fingerprint.of(memory, at, found);
        return found[0] ^ found[1];
    }
}
