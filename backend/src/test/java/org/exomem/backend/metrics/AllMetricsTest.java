package org.exomem.backend.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.exomem.backend.config.Prevention;
import org.exomem.backend.config.Violation;
import org.exomem.backend.migrate.Direction;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.migrate.Status;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.vm.ActiveState;
import org.exomem.backend.vm.MemoryState;
import org.exomem.backend.vm.VmFigures;
import org.exomem.backend.vm.VmState;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapState;
import org.exomem.balloon.FreePages;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.StatisticsTag;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.ResizeJob;
import org.exomem.migration.Fate;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;
import org.junit.jupiter.api.Test;

/** Each metric is present, with the right number, if and only if its value is known. */
class AllMetricsTest {
    private static final long GIB = 1L << 30;

    private final Samples samples = new Samples();
    private final VmSamples ofVm = new VmSamples(samples);

    @Test
    void vmWithEverythingHasAllMetricsOfVms() throws Exception {
        ofVm.add(everything());
        ofVm.add(new PagedState(
                "web",
                Path.of("/image"),
                7,
                PagedState.Status.STALLED,
                Instant.EPOCH,
                100,
                200,
                30,
                10,
                5,
                40,
                Optional.of("gone")));
        ofVm.add(migration(Status.ACTIVE));
        EventCounts counts = new EventCounts();
        counts.begin("web", Set.of("balloon"));
        counts.addTo(samples, Set.of("web"));
        new LoopDelays(org.exomem.backend.vm.VmTable.of(), Map.of()).addTo(samples);
        new ProcessFigures().addTo(samples);
        // Metrics that the server itself adds, one for each scrape or VM.
        samples.add(Metric.BUILD_INFO, 1, "1");
        samples.add(Metric.VMS, 1);
        samples.add(Metric.HEALTH_PROBLEMS, 0, "critical");
        samples.add(Metric.VM_RESPONDING, true, "web");
        samples.add(Metric.VM_EVENT_LOOP_DELAY, 0, "web");

        String text = text();
        assertThat(Arrays.stream(Metric.values())
                        .filter(metric -> !text.contains("# TYPE " + metric.fullName() + " "
                                + metric.type().word() + "\n"))
                        .toList())
                .isEmpty();
        for (Metric metric : Metric.values()) {
            assertThat(text.lines()
                            .filter(line -> line.matches(metric.fullName() + "(_count|_sum|_bucket)?[{ ].*"))
                            .map(AllMetricsTest::labels)
                            .collect(Collectors.toSet()))
                    .as(metric.fullName())
                    .containsExactly(Set.copyOf(metric.labels()));
        }
    }

    @Test
    void numbersAreInTheUnitsOfTheirNames() throws Exception {
        ofVm.add(everything());
        ofVm.add(migration(Status.COMPLETED));
        ofVm.add(new PagedState(
                "web",
                Path.of("/image"),
                7,
                PagedState.Status.STALLED,
                Instant.EPOCH,
                100,
                200,
                30,
                10,
                5,
                40,
                Optional.of("gone")));
        String text = text();
        assertThat(text.lines())
                .contains(
                        "exomem_migration_downtime_seconds{direction=\"outgoing\",vm=\"web\"} 0.25",
                        "exomem_migration_elapsed_seconds{direction=\"outgoing\",vm=\"web\"} 2.0",
                        "exomem_migration_fate_bytes{direction=\"outgoing\",fate=\"hinted\",vm=\"web\"} 40960.0",
                        "exomem_migration_fate_bytes{direction=\"outgoing\",fate=\"sent\",vm=\"web\"} 0.0",
                        "exomem_migration_rounds{direction=\"outgoing\",vm=\"web\"} 4.0",
                        "exomem_migration_status{direction=\"outgoing\",status=\"completed\",vm=\"web\"} 1.0",
                        "exomem_migration_status{direction=\"outgoing\",status=\"active\",vm=\"web\"} 0.0",
                        "exomem_pager_faults_total{page=\"content\",vm=\"web\"} 20.0",
                        "exomem_pager_faults_total{page=\"zeros\",vm=\"web\"} 10.0",
                        "exomem_pager_state{state=\"stalled\",vm=\"web\"} 1.0",
                        "exomem_pager_state{state=\"serving\",vm=\"web\"} 0.0",
                        "exomem_memory_device_guard_touches_total{access=\"read\",device=\"m0\",vm=\"web\"} 6.0",
                        "exomem_memory_device_guard_touches_total{access=\"write\",device=\"m0\",vm=\"web\"} 5.0",
                        "exomem_vm_host_resident_bytes{vm=\"web\"} 12345.0",
                        "exomem_balloon_bitmap_free_bytes{vm=\"web\"} 77.0");
        // A finished migration has no phase, and owes nothing.
        assertThat(text).doesNotContain("exomem_migration_phase").doesNotContain("exomem_migration_owed");
    }

    @Test
    void whatIsNotKnownIsLeftOut() throws Exception {
        ofVm.add(new VmFigures(
                new VmState(
                        "web",
                        "",
                        Optional.of(new VmState.Balloon(false, 0, OptionalLong.empty(), 0, 0, List.of(), 0)),
                        List.of(),
                        Optional.empty(),
                        OptionalLong.empty()),
                Optional.of(new VmFigures.OfBalloon(
                        new BalloonStatistics(0, new TreeMap<>()),
                        new FreePages(HintingState.values()[0], 0, 0, 0, 0, 0, 0),
                        new BitmapAnswer(BitmapState.IDLE, 0, 0, 0, 0, 0, 0, List.of(), 0))),
                Map.of("balloon", 0)));
        assertThat(text())
                .doesNotContain("resident_bytes{")
                .doesNotContain("_target_bytes")
                .doesNotContain("_actual_bytes")
                .doesNotContain("exomem_guest_statistics_timestamp")
                .doesNotContain("bitmap_free")
                .contains("exomem_balloon_connected{vm=\"web\"} 0.0");
    }

    private static VmFigures everything() {
        TreeMap<StatisticsTag, Long> statistics = new TreeMap<>();
        for (StatisticsTag tag : StatisticsTag.values()) {
            statistics.put(tag, 1L + tag.ordinal());
        }
        MemoryState memory = new MemoryState(
                "web",
                "m0",
                "",
                true,
                new MemoryRegionPlan(4 * GIB, GIB, 2 << 20, java.util.OptionalInt.empty()),
                GIB,
                GIB / 2,
                GIB,
                Optional.<ResizeJob.State>empty(),
                Optional.of(new MemoryState.Guarding(Prevention.values()[0], false, Optional.of("why"), 5, 6)),
                new MemoryState.Patrols(10, Violation.REPORT, 3, 1, 4096, 1));
        return new VmFigures(
                new VmState(
                        "web",
                        "",
                        Optional.of(new VmState.Balloon(true, GIB, OptionalLong.of(GIB / 2), GIB, 0, List.of(), 5)),
                        List.of(memory),
                        Optional.of(new ActiveState.Known(5, GIB, 1, 2, Duration.ofMillis(1), Duration.ofMillis(1))),
                        OptionalLong.of(12345)),
                Optional.of(new VmFigures.OfBalloon(
                        new BalloonStatistics(99, statistics),
                        new FreePages(HintingState.values()[0], 1, 2, 3, 4, 5, 6),
                        new BitmapAnswer(BitmapState.COMPLETE, 1, 77, 1, 2, 3, 4, List.of(), 0))),
                Map.of("balloon", 0, "m0", 1));
    }

    private static MigrationState migration(Status status) {
        return new MigrationState(
                "web",
                Direction.OUTGOING,
                status,
                "there:1",
                Duration.ofSeconds(2),
                GIB,
                GIB / 4,
                Optional.empty(),
                Optional.empty(),
                Optional.of(new Progress(
                        Progress.Phase.COPYING,
                        2,
                        GIB / 4,
                        GIB / 2,
                        1000,
                        Duration.ofSeconds(9),
                        Duration.ofMillis(7))),
                Optional.of(Duration.ofMillis(250)),
                Optional.of(new Report(
                        4096,
                        Map.of(Fate.HINTED, 10L),
                        0,
                        0,
                        4,
                        0,
                        Duration.ofSeconds(2),
                        Duration.ofMillis(200),
                        Duration.ofMillis(100),
                        true,
                        0,
                        0)),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    private static Set<String> labels(String line) {
        return Pattern.compile("([a-z]+)=\"")
                .matcher(line)
                .results()
                .map(found -> found.group(1))
                .filter(name -> !name.equals("le"))
                .collect(Collectors.toSet());
    }

    private String text() throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrometheusTextFormatWriter.create().write(out, samples.snapshots(), EscapingScheme.UNDERSCORE_ESCAPING);
        return out.toString(StandardCharsets.UTF_8);
    }
}
