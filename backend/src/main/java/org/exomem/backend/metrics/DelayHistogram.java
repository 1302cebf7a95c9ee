package org.exomem.backend.metrics;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/** A histogram of delays. Safe for use by several threads; adding allocates nothing. */
final class DelayHistogram {
    /** Upper bounds in nanoseconds. A step of a loop may take 20 ms; longer steps are a fault. */
    private static final long[] BOUNDS = {
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        20_000_000,
        50_000_000,
        200_000_000,
        1_000_000_000,
        5_000_000_000L
    };

    private static final double NANOS = 1e9;

    private final AtomicLongArray counts = new AtomicLongArray(BOUNDS.length + 1);
    private final LongAdder sum = new LongAdder();

    void add(long nanos) {
        int bucket = 0;
        while (bucket < BOUNDS.length && nanos > BOUNDS[bucket]) {
            bucket++;
        }
        counts.incrementAndGet(bucket);
        sum.add(nanos);
    }

    void addTo(Samples samples, String loop) {
        double[] bounds = new double[BOUNDS.length + 1];
        long[] now = new long[bounds.length];
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = i < BOUNDS.length ? BOUNDS[i] / NANOS : Double.POSITIVE_INFINITY;
            now[i] = counts.get(i);
        }
        samples.addHistogram(Metric.EVENT_LOOP_DELAY, bounds, now, sum.sum() / NANOS, loop);
    }
}
