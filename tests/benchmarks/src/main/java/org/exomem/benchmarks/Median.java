package org.exomem.benchmarks;

import java.util.List;

/** The median of some samples, which other work on the machine disturbs least. */
final class Median {
    private Median() {}

    /** @param samples at least one */
    static double of(List<? extends Number> samples) {
        double[] sorted =
                samples.stream().mapToDouble(Number::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
