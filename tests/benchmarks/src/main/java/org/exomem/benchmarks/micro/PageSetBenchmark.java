package org.exomem.benchmarks.micro;

import java.util.concurrent.TimeUnit;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** Adds runs of pages to the set and removes them, all over 8 GiB. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PageSetBenchmark {
    private static final long PAGES = Pages.floor(8L << 30);
    /** Odd, so that runs start at every bit of a word of the set. */
    private static final long STEP = 12_347;

    @Param({"1", "256"})
    public int run = 1;

    private final PageSet set = new PageSet();
    private long first;

    @Setup
    public void touchAll() {
        set.addAll(0, PAGES);
        set.removeAll(0, PAGES);
    }

    @Benchmark
    public long addAndRemove() {
        first = first + STEP;
        if (first > PAGES - run) {
            first -= PAGES - run;
        }
        return set.addAll(first, run) + set.removeAll(first, run);
    }
}
