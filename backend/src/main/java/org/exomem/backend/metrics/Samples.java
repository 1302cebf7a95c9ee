package org.exomem.backend.metrics;

import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Exemplars;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricMetadata;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.prometheus.metrics.model.snapshots.Quantiles;
import io.prometheus.metrics.model.snapshots.SummarySnapshot;
import io.prometheus.metrics.model.snapshots.SummarySnapshot.SummaryDataPointSnapshot;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** The values of one scrape. For one thread. */
final class Samples {
    private static final long NO_CREATION = 0;

    private final Map<Metric, List<GaugeDataPointSnapshot>> gauges = new EnumMap<>(Metric.class);
    private final Map<Metric, List<CounterDataPointSnapshot>> counters = new EnumMap<>(Metric.class);
    private final Map<Metric, List<HistogramDataPointSnapshot>> histograms = new EnumMap<>(Metric.class);
    private final Map<Metric, List<SummaryDataPointSnapshot>> summaries = new EnumMap<>(Metric.class);
    /** Reused while the label names and values stay the same, as for most metrics of a VM. */
    private Labels last = Labels.EMPTY;

    private List<String> lastNames = List.of();
    private List<String> lastValues = List.of();

    /** Adds the value of a gauge or counter. */
    void add(Metric metric, double value, String... labels) {
        switch (metric.type()) {
            case GAUGE ->
                gauges.computeIfAbsent(metric, of -> new ArrayList<>())
                        .add(new GaugeDataPointSnapshot(value, labels(metric, labels), null));
            case COUNTER ->
                counters.computeIfAbsent(metric, of -> new ArrayList<>())
                        .add(new CounterDataPointSnapshot(value, labels(metric, labels), null, NO_CREATION));
            case HISTOGRAM, SUMMARY -> throw new IllegalArgumentException(metric + " is more than one number");
        }
    }

    /** Adds 1 for true, and 0 for false. */
    void add(Metric metric, boolean value, String... labels) {
        add(metric, value ? 1 : 0, labels);
    }

    void addHistogram(Metric metric, double[] bounds, long[] counts, double sum, String... labels) {
        histograms
                .computeIfAbsent(metric, of -> new ArrayList<>())
                .add(new HistogramDataPointSnapshot(
                        ClassicHistogramBuckets.of(bounds, counts),
                        sum,
                        labels(metric, labels),
                        Exemplars.EMPTY,
                        NO_CREATION));
    }

    void addSummary(Metric metric, long count, double sum, String... labels) {
        summaries
                .computeIfAbsent(metric, of -> new ArrayList<>())
                .add(new SummaryDataPointSnapshot(
                        count, sum, Quantiles.EMPTY, labels(metric, labels), Exemplars.EMPTY, NO_CREATION));
    }

    private Labels labels(Metric metric, String... values) {
        List<String> given = List.of(values);
        if (!metric.labels().equals(lastNames) || !given.equals(lastValues)) {
            last = Labels.of(metric.labels(), given);
            lastNames = metric.labels();
            lastValues = given;
        }
        return last;
    }

    /** All values, for the library. */
    MetricSnapshots snapshots() {
        List<MetricSnapshot> all = new ArrayList<>();
        gauges.forEach((metric, points) -> all.add(new GaugeSnapshot(metadata(metric), points)));
        counters.forEach((metric, points) -> all.add(new CounterSnapshot(metadata(metric), points)));
        histograms.forEach((metric, points) -> all.add(new HistogramSnapshot(metadata(metric), points)));
        summaries.forEach((metric, points) -> all.add(new SummarySnapshot(metadata(metric), points)));
        return new MetricSnapshots(all);
    }

    private static MetricMetadata metadata(Metric metric) {
        return new MetricMetadata(metric.base(), metric.help());
    }
}
