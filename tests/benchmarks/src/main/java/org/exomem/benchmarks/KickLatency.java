package org.exomem.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.HdrHistogram.Histogram;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.pages.Pages;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The time from a kick to the call for one buffer, which is then in the used ring. For comparison: the round trip of an
 * eventfd to another process and back. In both cases the partner is a JVM that calls the kernel by JNA, the driver
 * waits with one system call, and the threads are placed alike.
 */
@Command(
        name = "kick-latency",
        mixinStandardHelpOptions = true,
        description = "Time from a kick to the call for one buffer, compared with a bare eventfd ping-pong.")
final class KickLatency extends Benchmark {
    private static final double WANTED = 1.5;
    private static final int LIMIT_MILLIS = 5000;
    private static final long MEMORY = 64L << 20;
    private static final int QUEUE_SIZE = 128;
    private static final long LONGEST_NANOS = 10_000_000_000L;

    @Option(names = "--rounds", description = "Rounds of each of the two, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 20;

    @Option(names = "--times", description = "Kicks in a round. Default: ${DEFAULT-VALUE}")
    private int times = 5000;

    /** The processors of the two partners: a wake-up across processors costs several times what is compared here. */
    private enum Placement {
        TWO_CPUS("two CPUs", 1),
        ONE_CPU("one CPU", 0);

        private final String description;
        private final int partner;

        Placement(String description, int partner) {
            this.description = description;
            this.partner = partner;
        }
    }

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        try (ServeProcess exomem = ServeProcess.start(List.of("a,discard=off"));
                Guest guest = Guest.attach(exomem.socket("a"), MEMORY, Guest.LINUX, QUEUE_SIZE);
                EventFdEcho echo = new EventFdEcho()) {
            long at = guest.ram().allocate(4, 4);
            guest.ram().putInt(at, (int) Pages.floor(MEMORY) - 1);
            List<Buffer> chain = List.of(Buffer.readable(at, 4));
            for (Placement placement : Placement.values()) {
                if (placement.partner < Affinity.CPUS) {
                    Affinity.tie(0);
                    Affinity.tie(exomem.pid(), "vm-a", placement.partner);
                    echo.tie(placement.partner);
                    figures.addAll(compare(placement.description, guest.inflate(), chain, echo));
                }
            }
        } finally {
            Affinity.untie();
        }
        return figures;
    }

    private List<Figure> compare(String where, RingDriver ring, List<Buffer> chain, EventFdEcho echo)
            throws IOException {
        Histogram kicks = new Histogram(LONGEST_NANOS, 3);
        Histogram pings = new Histogram(LONGEST_NANOS, 3);
        BareEventFd call = new BareEventFd(ring.callFd().fd());
        for (int round = -2; round < rounds; round++) {
            if (round == 0) {
                kicks.reset();
                pings.reset();
            }
            echo.pingPong(times, pings);
            kick(times, ring, call, chain, kicks);
        }
        say(describe("kick to call, " + where, kicks));
        say(describe("eventfd round trip, " + where, pings));
        Figure ratio = Figure.of(
                "kick to call / eventfd ping-pong, p50, " + where,
                (double) kicks.getValueAtPercentile(50) / pings.getValueAtPercentile(50),
                "");
        return List.of(
                Figure.of("kick to call, p50, " + where, micros(kicks, 50), "us"),
                Figure.of("kick to call, p99, " + where, micros(kicks, 99), "us"),
                Figure.of("bare eventfd ping-pong, p50, " + where, micros(pings, 50), "us"),
                Figure.of("bare eventfd ping-pong, p99, " + where, micros(pings, 99), "us"),
                ratio.atMost(WANTED));
    }

    private static void kick(int times, RingDriver ring, BareEventFd call, List<Buffer> chain, Histogram histogram) {
        for (int i = 0; i < times; i++) {
            int id = ring.add(chain);
            long start = System.nanoTime();
            boolean kicked = ring.kick();
            call.awaitReadable(LIMIT_MILLIS);
            long nanos = System.nanoTime() - start;
            Used used = ring.poll();
            if (!kicked || used == null || used.id() != id) {
                throw new IllegalStateException("kicked: " + kicked + ", used at the call: " + used);
            }
            ring.callFd().drain();
            histogram.recordValue(nanos);
        }
    }

    private static double micros(Histogram histogram, double percentile) {
        return histogram.getValueAtPercentile(percentile) / 1e3;
    }

    private static String describe(String what, Histogram histogram) {
        return String.format(
                Locale.ROOT,
                "  %-36s us: min %.1f, p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f of %d",
                what,
                histogram.getMinValue() / 1e3,
                micros(histogram, 50),
                micros(histogram, 90),
                micros(histogram, 99),
                micros(histogram, 99.9),
                histogram.getMaxValue() / 1e3,
                histogram.getTotalCount());
    }
}
