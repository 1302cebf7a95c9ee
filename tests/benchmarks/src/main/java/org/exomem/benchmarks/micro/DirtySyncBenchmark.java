package org.exomem.benchmarks.micro;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pagesource.SharedLog;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** Fetches and clears the log of 64 GiB of guest memory, 3 of them below the hole at 4 GiB. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class DirtySyncBenchmark {
    private static final long GIB = 1L << 30;
    private static final long PAGES = Pages.floor(64 * GIB);

    /** One word (64 pages) out of this many is completely dirty; 0 for none. */
    @Param({"0", "64", "1"})
    public int oneIn = 64;

    private final MemorySegment log = Arena.ofAuto().allocate(Pages.floor(65 * GIB) / 8, 8);
    private final PageBits dirty = new PageBits(PAGES);
    private final SharedLog source = new SharedLog(
            log,
            new AddressMap(List.of(
                    new AddressMap.Range(0, 3 * GIB, 0),
                    new AddressMap.Range(4 * GIB, 61 * GIB, Pages.floor(3 * GIB)))),
            PAGES);

    @Setup(Level.Invocation)
    public void write() {
        for (long at = 0; oneIn > 0 && at < log.byteSize(); at += (long) oneIn * Long.BYTES) {
            log.set(JAVA_LONG, at, -1);
        }
    }

    @Benchmark
    public PageBits sync() {
        source.sync(dirty);
        return dirty;
    }
}
