package org.exomem.benchmarks;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The cost of {@code exomem serve} while its guests request nothing, and the time of its start. */
@Command(
        name = "idle",
        mixinStandardHelpOptions = true,
        description =
                "Memory and CPU time of an idle exomem serve, memory of each further VM, time from start to listening.")
final class Idle extends Benchmark {
    private static final double WANTED_MIB = 100;
    /** Percent of one processor: the JVM's own threads wake up a few times a second. */
    private static final double WANTED_CPU_PERCENT = 0.1;

    private static final double WANTED_MIB_PER_VM = 1;
    private static final double WANTED_START_MILLIS = 400;
    private static final long GUEST_MEMORY = 64L << 20;
    private static final int QUEUE_SIZE = 128;

    @Option(names = "--starts", description = "Starts that are timed. Default: ${DEFAULT-VALUE}")
    private int starts = 11;

    @Option(names = "--vms", description = "Further VMs. Default: ${DEFAULT-VALUE}")
    private int furtherVms = 50;

    @Option(names = "--seconds", description = "How long an idle process is measured. Default: ${DEFAULT-VALUE}")
    private int seconds = 20;

    @Option(
            names = "--settle",
            paramLabel = "SECONDS",
            description = "The maximum time until a process is idle. Default: ${DEFAULT-VALUE}")
    private int settle = 60;

    @Override
    List<Figure> measure() throws IOException {
        List<Double> startMillis = new ArrayList<>();
        for (int i = 0; i < starts; i++) {
            try (ServeProcess exomem = ServeProcess.start(List.of("vm0"))) {
                startMillis.add(exomem.startNanos() / 1e6);
            }
        }
        Rest one = rest(1, true);
        Rest many = rest(1 + furtherVms, false);
        return List.of(
                Figure.of("start to listening, median", Median.of(startMillis), "ms")
                        .atMost(WANTED_START_MILLIS),
                Figure.of("resident, one VM connected", mib(one.residentBytes), "MiB")
                        .atMost(WANTED_MIB),
                Figure.of("CPU use when idle, over " + seconds + " s", one.cpuNanos / (seconds * 1e7), "%")
                        .atMost(WANTED_CPU_PERCENT),
                Figure.of("thread switches when idle", (double) one.switches / seconds, "per s"),
                Figure.of("resident, " + (1 + furtherVms) + " VMs connected", mib(many.residentBytes), "MiB"),
                Figure.of("resident, each further VM", mib(many.residentBytes - one.residentBytes) / furtherVms, "MiB")
                        .atMost(WANTED_MIB_PER_VM));
    }

    private record Rest(long residentBytes, long cpuNanos, long switches) {}

    private Rest rest(int vms, boolean watch) throws IOException {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < vms; i++) {
            names.add("vm" + i);
        }
        List<Guest> guests = new ArrayList<>();
        try (ServeProcess exomem = ServeProcess.start(names)) {
            for (String name : names) {
                guests.add(Guest.attach(exomem.socket(name), GUEST_MEMORY, Guest.LINUX, QUEUE_SIZE));
            }
            AtRest.await(exomem, Duration.ofSeconds(settle));
            ProcessUsage before = exomem.usage();
            if (watch) {
                pass(Duration.ofSeconds(seconds));
            }
            ProcessUsage after = exomem.usage();
            return new Rest(
                    after.residentBytes(),
                    after.cpuNanos() - before.cpuNanos(),
                    after.voluntarySwitches() - before.voluntarySwitches());
        } finally {
            guests.forEach(Guest::close);
        }
    }

    private static void pass(Duration time) {
        long end = System.nanoTime() + time.toNanos();
        await().pollInterval(Duration.ofMillis(100))
                .atMost(time.plusSeconds(10))
                .until(() -> System.nanoTime() >= end);
    }

    private static double mib(long bytes) {
        return bytes / (double) (1 << 20);
    }
}
