package org.exomem.benchmarks;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.exomem.benchmarks.PageRuns.Run;
import org.exomem.pages.Pages;
import org.exomem.vmm.QmpClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The cost of checking whether unplugged blocks have memory again, and how soon a guest that uses them is found. */
@Command(
        name = "patrol",
        mixinStandardHelpOptions = true,
        description = "The patrol around unplugged blocks: its cost, and the time until a violation is found.")
final class PatrolCost extends Benchmark {
    /** In ms: 0.1 % of one processor at the default interval, the limit for an idle process. */
    private static final double WANTED_MILLIS = 10;
    /** 1 %, if each block needs a lookup of its own. */
    private static final double WANTED_MILLIS_IN_PIECES = 100;
    /** The longest time after the end of the interval until a violation is found, in s. */
    private static final double WANTED_DELAY = 0.5;

    private static final int QUEUE_SIZE = 32768;
    private static final Duration SOON = Duration.ofMillis(20);
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @Option(names = "--region", paramLabel = "GIB", description = "The device's region. Default: ${DEFAULT-VALUE}")
    private long region = 64;

    @Option(names = "--rounds", description = "Rounds of which the cost is measured. Default: ${DEFAULT-VALUE}")
    private int rounds = 10;

    @Option(
            names = "--found",
            paramLabel = "MIB",
            description = "Memory that one round finds. Default: ${DEFAULT-VALUE}")
    private long found = 1024;

    @Option(
            names = "--interval",
            paramLabel = "SECONDS",
            description =
                    "Interval between two rounds, for the time until a violation is found. Default: ${DEFAULT-VALUE}")
    private int interval = 10;

    @Option(names = "--violations", description = "Number of violations. Default: ${DEFAULT-VALUE}")
    private int violations = 3;

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        try (Site site = new Site(1)) {
            figures.add(cost(site, "nothing plugged").atMost(WANTED_MILLIS));
            figures.addAll(much(site));
            site.plugEveryOther();
            figures.add(cost(site, "every other block plugged and in use").atMost(WANTED_MILLIS_IN_PIECES));
        }
        try (Site site = new Site(interval)) {
            site.plugEveryOther();
            figures.addAll(timeToFind(site));
        }
        return figures;
    }

    private Figure cost(Site site, String what) throws IOException {
        site.awaitRound();
        long roundsBefore = site.rounds();
        long cpuBefore = site.cpuNanos();
        // No queries meanwhile: the same thread would have to answer them.
        pass(Duration.ofSeconds(rounds));
        long cpu = site.cpuNanos() - cpuBefore;
        long passed = site.rounds() - roundsBefore;
        return Figure.of("CPU of a round around " + region + " GiB, " + what, cpu / 1e6 / passed, "ms");
    }

    /** A guest that has filled the blocks that it unplugged. */
    private List<Figure> much(Site site) throws IOException {
        List<Double> cpu = new ArrayList<>();
        List<Double> wall = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            site.awaitRound();
            long cpuBefore = site.cpuNanos();
            long start = System.nanoTime();
            long before = site.foundBytes();
            site.guest.ram().fill(MemoryGuest.OWN, found << 20, (byte) 1);
            await().pollInterval(Duration.ofMillis(200))
                    .atMost(LIMIT)
                    .until(() -> site.foundBytes() - before >= found << 20);
            wall.add((System.nanoTime() - start) / 1e9);
            cpu.add((site.cpuNanos() - cpuBefore) / 1e6);
        }
        String what = found + " MiB in unplugged blocks";
        return List.of(
                Figure.of("CPU until all was found and discarded: " + what, Median.of(cpu), "ms"),
                Figure.of("  time since before the write, at an interval of 1 s", Median.of(wall), "s"));
    }

    /** The longest time until a violation is found: the page is written just after a round has ended. */
    private List<Figure> timeToFind(Site site) throws IOException {
        List<Double> seconds = new ArrayList<>();
        for (int i = 0; i < violations; i++) {
            site.awaitRound();
            // Towards the end of the region, in an unplugged block.
            long page = MemoryGuest.OWN + (region << 30) - MemoryGuest.BLOCK + Pages.bytes(i);
            long start = System.nanoTime();
            site.guest.ram().fill(page, 1, (byte) 1);
            site.control.awaitEvent("GUEST_VIOLATION", LIMIT);
            seconds.add((System.nanoTime() - start) / 1e9);
        }
        return List.of(Figure.of("time until a page written just after a round is discarded", Median.of(seconds), "s")
                .atMost(interval + WANTED_DELAY));
    }

    private static void pass(Duration time) {
        long end = System.nanoTime() + time.toNanos();
        await().pollInterval(Duration.ofMillis(100))
                .atMost(time.plusSeconds(10))
                .until(() -> System.nanoTime() >= end);
    }

    /** A process with one device, and its guest. */
    private final class Site implements AutoCloseable {
        private final ServeProcess exomem;
        private final MemoryGuest guest;
        private final QmpClient control;

        Site(int seconds) throws IOException {
            exomem = ServeProcess.startMemories(
                    List.of(MemoryGuest.options("a", region << 30) + ",patrol=" + seconds), false);
            guest = MemoryGuest.attach(exomem.socket("a"), region << 30, RingFormat.SPLIT, QUEUE_SIZE);
            control = exomem.control();
        }

        /** Plugs every other block, with a page in use in each: so a lookup never reaches beyond the next block. */
        void plugEveryOther() throws IOException {
            long blocks = (region << 30) / MemoryGuest.BLOCK;
            List<Run> runs = LongStream.range(0, blocks / 2)
                    .mapToObj(i -> new Run((MemoryGuest.OWN + 2 * i * MemoryGuest.BLOCK) / Pages.SIZE, (int)
                            (MemoryGuest.BLOCK / Pages.SIZE)))
                    .toList();
            new BlockRequests(guest.ram(), runs).plug(guest.ring());
            runs.forEach(run -> guest.ram().fill(run.address(), 1, (byte) 1));
        }

        long cpuNanos() throws IOException {
            return ProcessUsage.cpuNanos(exomem.pid(), "vm-a");
        }

        long rounds() throws IOException {
            return patrol().path("rounds").asLong();
        }

        long foundBytes() throws IOException {
            return patrol().path("bytes").asLong();
        }

        private JsonNode patrol() throws IOException {
            return control.execute("query-memory-devices").path(0).path("data").path("patrol");
        }

        /** Waits until a round ends. */
        void awaitRound() throws IOException {
            long before = rounds();
            await().pollInterval(SOON).atMost(LIMIT).until(() -> rounds() > before);
        }

        @Override
        public void close() throws IOException {
            control.close();
            guest.close();
            exomem.close();
        }
    }
}
