package org.exomem.benchmarks.micro;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pagesource.FeedSource;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.Pages;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * Takes the hints of 64 GiB of free memory, 4 MiB each, and clears them from the pages still to be sent, as the engine
 * does.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class HintsBenchmark {
    private static final long SIZE = 64L << 30;
    private static final long PAGES = Pages.floor(SIZE);
    private static final long BLOCK = 4L << 20;

    private final PageFeed feed = new PageFeed();
    private final FeedSource source = new FeedSource(
            FreeReason.HINTED,
            feed.subscribe(FreeReason.HINTED.kinds(), 1 << 15),
            new AddressMap(List.of(new AddressMap.Range(0, SIZE, 0))),
            PAGES);
    private final PageBits owed = new PageBits(PAGES);
    private final PageBits free = new PageBits(PAGES);
    private final PageBits excused = new PageBits(PAGES);
    private int session;

    @Setup(Level.Invocation)
    public void hint() {
        owed.addAll();
        source.synced();
        session++;
        feed.offer(Kind.HINTING_STARTED, session, 0, 0);
        for (long at = 0; at < SIZE; at += BLOCK) {
            feed.offer(Kind.HINTED, session, at, BLOCK);
        }
    }

    @Benchmark
    public PageBits apply() throws IOException {
        source.collect(free, owed);
        free.and(owed);
        owed.andNot(free);
        excused.or(free);
        free.clear();
        return owed;
    }
}
