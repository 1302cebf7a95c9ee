package org.exomem.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.control.ControlServer;
import org.exomem.backend.health.Health;
import org.exomem.backend.metrics.EventCounts;
import org.exomem.backend.metrics.MetricsServer;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.ui.UiServer;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmShutdown;
import org.exomem.backend.vm.VmTable;
import org.exomem.backend.vm.VmmProcesses;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The delay of VMs' event loops while a page shows a VM's map and metrics are scraped each second, compared with no
 * clients.
 */
@Command(
        name = "watched-loop",
        mixinStandardHelpOptions = true,
        description = "The delay of event loops with the web page open and metrics scraped, compared with neither.")
final class WatchedLoop extends Benchmark {
    /** The limit for the ratio of the 99th percentiles. */
    private static final double WANTED = 1.05;

    private static final long GIB = 1L << 30;
    private static final Duration BETWEEN = Duration.ofMillis(1);

    @Option(names = "--vms", description = "Served VMs. Default: ${DEFAULT-VALUE}")
    private int vms = 20;

    @Option(
            names = "--memory",
            paramLabel = "GIB",
            description = "Memory of the VM that the page shows. Default: ${DEFAULT-VALUE}")
    private long memory = 64;

    @Option(names = "--seconds", description = "Length of each round. Default: ${DEFAULT-VALUE}")
    private int seconds = 20;

    @Option(names = "--rounds", description = "Rounds with and without, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 5;

    @Override
    List<Figure> measure() throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        List<ServedVm> served = new ArrayList<>();
        try (GuestRam ram = GuestRam.ofSize(memory * GIB)) {
            for (int i = 0; i < vms; i++) {
                served.add(serve("vm" + i, folder));
            }
            try (BalloonDriver driver = attach(folder, ram)) {
                for (long gib = 1; gib < memory; gib += 2) {
                    driver.inflate(gib * GIB, 4 << 20);
                    ram.fill(gib * GIB + (64 << 20), 1 << 20, (byte) 1);
                }
                return measure(folder, VmTable.of(served.toArray(VirtualMachine[]::new)));
            }
        } catch (ConfigException e) {
            throw new IOException(e);
        } finally {
            VmShutdown.close(served, Duration.ofSeconds(10));
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private static ServedVm serve(String name, Path folder) throws IOException, ConfigException {
        VmConfig config = new VmConfig(
                name, Optional.of(ServeConfig.balloon("vm=" + name + ",socket=" + folder.resolve(name))), List.of());
        return ServedVm.start(
                config, Optional.empty(), event -> {}, (vmm, why) -> {}, VmmProcesses.NONE, Long.MAX_VALUE);
    }

    private static BalloonDriver attach(Path folder, GuestRam ram) throws IOException {
        return BalloonDriver.start(AttachedDevice.attach(
                FrontEnd.connect(folder.resolve("vm0")),
                ram,
                BalloonFeatures.LINUX | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG));
    }

    private List<Figure> measure(Path folder, VmTable table) throws IOException, ConfigException {
        HttpConfig anyPort = new HttpConfig(HttpConfig.addresses("", "0"), Optional.empty());
        List<Double> quiet = new ArrayList<>();
        List<Double> watched = new ArrayList<>();
        Path socket = folder.resolve("control");
        try (Migrations migrations = new Migrations(table, state -> {});
                ControlServer control = ControlServer.listen(socket, table, migrations, () -> {});
                UiServer page = UiServer.start(anyPort, socket, Optional.empty());
                MetricsServer metrics = new MetricsServer(
                        anyPort,
                        new MetricsServer.Process(
                                "benchmark",
                                table,
                                migrations::states,
                                List::of,
                                new Health(table, migrations, List::of, Optional.empty()),
                                new EventCounts(),
                                Map.of("control", control::whenLoopIsFree)))) {
            int pagePort = port(page.addresses());
            int metricsPort = port(metrics.addresses());
            // Until the JVM has compiled the code.
            try (Watch ignored = new Watch(pagePort, metricsPort)) {
                delays(table);
            }
            for (int round = 0; round < rounds; round++) {
                quiet.add(delays(table));
                try (Watch ignored = new Watch(pagePort, metricsPort)) {
                    watched.add(delays(table));
                }
                say(String.format("round %d: %.1f us, watched %.1f us", round, quiet.getLast(), watched.getLast()));
            }
        }
        double without = Median.of(quiet);
        double with = Median.of(watched);
        return List.of(
                Figure.of("delay of " + vms + " VMs' event loops, p99, no clients", without, "us"),
                Figure.of("  with the page of a VM of " + memory + " GiB open, and a scrape per second", with, "us"),
                Figure.of("  with / without", with / without, "").atMost(WANTED));
    }

    private static int port(List<HttpAddress> addresses) {
        return ((HttpAddress.Tcp) addresses.getFirst()).port();
    }

    /** The 99th percentile of one round, in microseconds. */
    private double delays(VmTable table) {
        Histogram delays = new Histogram(TimeUnit.MINUTES.toNanos(1), 3);
        List<VirtualMachine> all = table.all();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        for (int i = 0; System.nanoTime() < end; i++) {
            CompletableFuture<Long> ran = new CompletableFuture<>();
            long asked = System.nanoTime();
            all.get(i % all.size()).whenLoopIsFree(() -> ran.complete(System.nanoTime() - asked));
            delays.recordValue(ran.orTimeout(1, TimeUnit.MINUTES).join());
            LockSupport.parkNanos(BETWEEN.toNanos());
        }
        return delays.getValueAtPercentile(99) / 1e3;
    }

    /** An open page, and a client that scrapes metrics. */
    private static final class Watch implements AutoCloseable {
        private final Socket page;
        private final Thread reader;
        private final Thread scraper;

        Watch(int pagePort, int metricsPort) throws IOException {
            page = new Socket(InetAddress.getLoopbackAddress(), pagePort);
            page.getOutputStream()
                    .write("GET /events?vm=vm0&cells=1024 HTTP/1.1\r\nHost: localhost\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));
            InputStream events = page.getInputStream();
            reader = Thread.ofPlatform().daemon().name("page-reader").start(() -> read(events));
            scraper = Thread.ofPlatform().daemon().name("scraper").start(() -> scrape(metricsPort));
        }

        private static void read(InputStream events) {
            try {
                byte[] some = new byte[1 << 16];
                while (events.read(some) >= 0) {}
            } catch (IOException e) {
                // The connection is closed.
            }
        }

        private static void scrape(int port) {
            try (HttpClient client = HttpClient.newHttpClient()) {
                HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics"))
                        .build();
                while (!Thread.currentThread().isInterrupted()) {
                    client.send(request, HttpResponse.BodyHandlers.discarding());
                    LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(1));
                }
            } catch (IOException | InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void close() throws IOException {
            page.close();
            scraper.interrupt();
            reader.interrupt();
        }
    }
}
