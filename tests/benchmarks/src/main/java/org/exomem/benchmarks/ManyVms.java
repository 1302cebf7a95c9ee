package org.exomem.benchmarks;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
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

    private static final Duration SETTLE_LIMIT = Duration.ofSeconds(120);

    @Option(names = "--vms", description = "VMs. Default: ${DEFAULT-VALUE}")
    private int vms = 200;

    @Override
    List<Figure> measure() throws IOException {
        List<String> names = IntStream.range(0, vms).mapToObj(i -> "vm" + i).toList();
        try (ServeProcess exomem = ServeProcess.startBoth(names)) {
            AtRest.await(exomem, SETTLE_LIMIT);
            return List.of(
                    Figure.of("resident, " + vms + " VMs", exomem.usage().residentBytes() / (double) (1 << 20), "MiB")
                            .atMost(WANTED_MIB),
                    Figure.of("threads, " + vms + " VMs", ProcessUsage.threads(exomem.pid()), "")
                            .atMost(vms + OTHER_THREADS));
        }
    }
}
