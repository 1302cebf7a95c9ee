package org.exomem.benchmarks.micro;

import java.util.EnumSet;
import java.util.concurrent.TimeUnit;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.Pages;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** The cost of a message for the event loop without a listener, and of a message in and out again with one. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PageFeedBenchmark {
    private static final int CAPACITY = 1 << 12;

    private final PageFeed unheard = new PageFeed();
    private final PageFeed heard = new PageFeed();
    private final PageSubscription subscription = heard.subscribe(EnumSet.allOf(PageFeed.Kind.class), CAPACITY);
    private long address;
    private long sum;
    private final PageFeed.Listener listener = (kind, session, from, length) -> sum += from + length;

    @Benchmark
    public void offerToNobody() {
        unheard.offer(PageFeed.Kind.INFLATED, 0, Pages.bytes(++address), Pages.SIZE);
    }

    @Benchmark
    public long offerAndDrain() {
        heard.offer(PageFeed.Kind.INFLATED, 0, Pages.bytes(++address), Pages.SIZE);
        subscription.drain(listener, 1);
        return sum;
    }
}
