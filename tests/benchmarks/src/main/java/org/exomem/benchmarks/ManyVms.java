package org.exomem.benchmarks;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.awaitility.core.ConditionTimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The cost of {@code exomem serve} on a host with many VMs, each with a balloon and a memory device. */
@Command(
        name = "many-vms",
        mixinStandardHelpOptions = true,
        description =
                "Memory and threads of an exomem serve with many VMs that have a balloon and a memory device each.")
final class ManyVms extends Benchmark {
    private static final double WANTED_MIB = 100;
    /** Threads besides the event loops of the VMs (one each): those of the JVM. */
    private static final int OTHER_THREADS = 30;

    private static final Duration SETTLED = Duration.ofSeconds(2);
    private static final Duration SETTLE_LIMIT = Duration.ofSeconds(60);

    @Option(names = "--vms", description = "VMs. Default: ${DEFAULT-VALUE}")
    private int vms = 200;

    @Override
    List<Figure> measure() throws IOException {
        List<String> names = IntStream.range(0, vms).mapToObj(i -> "vm" + i).toList();
        try (ServeProcess exomem = ServeProcess.startBoth(names)) {
            settle(exomem);
            return List.of(
                    Figure.of("resident, " + vms + " VMs", exomem.usage().residentBytes() / (double) (1 << 20), "MiB")
                            .atMost(WANTED_MIB),
                    Figure.of("threads, " + vms + " VMs", ProcessUsage.threads(exomem.pid()), "")
                            .atMost(vms + OTHER_THREADS));
        }
    }

    private static void settle(ServeProcess exomem) {
        long[] last = {-1};
        try {
            await().pollInterval(Duration.ofMillis(500))
                    .during(SETTLED)
                    .atMost(SETTLE_LIMIT)
                    .until(() -> {
                        long now = exomem.usage().cpuMillis();
                        boolean atRest = now - last[0] <= 1;
                        last[0] = now;
                        return atRest;
                    });
        } catch (ConditionTimeoutException e) {
            // The process does not become idle, which the figures show.
        }
    }
}
