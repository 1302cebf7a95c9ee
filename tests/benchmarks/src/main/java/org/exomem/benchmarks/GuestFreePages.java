package org.exomem.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.exomem.vmm.GuestImage;
import org.exomem.vmm.GuestShell;
import org.exomem.vmm.Qemu;
import org.exomem.vmm.QemuCommand;
import org.exomem.vmm.QmpClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Requests for free page bitmaps to a Linux guest with exomem's driver: just after boot, and when its free memory
 * consists of single pages; then again while nothing takes the guest's processor away, to see how long the driver itself
 * holds the lock. Also measures how much slower a program in the guest writes memory during a request each
 * second. For comparison: the free memory that Linux's own driver reports and hints.
 */
@Command(
        name = "guest-free-pages",
        mixinStandardHelpOptions = true,
        description = "A real Linux guest answers requests for bitmaps of its free pages.")
final class GuestFreePages extends Benchmark {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final String VM = "a";
    private static final String DRIVER = "/sys/bus/virtio/devices/virtio0/free_page_bitmap/";
    private static final double WANTED_MILLIS = 50;
    private static final double WANTED_DEVICE_MILLIS = 5;
    private static final double WANTED_HOLD_MILLIS = 1;
    private static final double WANTED_COVERAGE = 0.99;
    private static final double WANTED_THROUGHPUT = 0.99;
    private static final int TENTHS_A_SECOND = 10;
    private static final int WRITTEN_MIB = 64;

    @Option(names = "--memory", paramLabel = "MIB", description = "The guest's memory. Default: ${DEFAULT-VALUE}")
    private long memory = 8192;

    @Option(
            names = "--fragmented",
            paramLabel = "MIB",
            description = "Memory of which every other page is free. Default: ${DEFAULT-VALUE}")
    private long fragmented = 7000;

    @Option(names = "--requests", description = "Requests in each state. Default: ${DEFAULT-VALUE}")
    private int requests = 9;

    @Option(
            names = "--reported-after",
            split = ",",
            paramLabel = "SECONDS",
            description = "Seconds after which the reported part of freed memory is read. Default: ${DEFAULT-VALUE}")
    private List<Integer> reportedAfter = List.of(2, 10, 30);

    @Option(names = "--seconds", description = "How long the program is measured. Default: ${DEFAULT-VALUE}")
    private int seconds = 10;

    @Option(names = "--linux", description = "The guest's kernel: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}")
    private GuestImage.Linux linux = GuestImage.Linux.BOOKWORM;

    /** An answer; times in ms, {@code coverage} as a part of the memory that the guest counts as free. */
    private record Answer(double time, double device, double hold, double coverage) {}

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        try (ServeProcess exomem = ServeProcess.start(List.of(VM + ",free-page-reporting=off"));
                QmpClient control = exomem.control();
                Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(linux))
                        .ram(memory << 20)
                        .driver("exomem_balloon")
                        .vhostUserBalloon(exomem.socket(VM)))) {
            GuestShell guest = qemu.guest();
            // A page that a program frees out of a huge page is free only when the huge page is split.
            guest.run("echo never > /sys/kernel/mm/transparent_hugepage/enabled");
            figures.addAll(figures("just booted", ask("just booted", control, qemu), true));
            guest.run("randwrite start " + WRITTEN_MIB, LIMIT);
            // The first seconds are slow, because QEMU translates frequently used code.
            rate(guest, () -> {});
            double alone = rate(guest, () -> {});
            double asked = rate(guest, () -> request(control));
            say("  words per second: " + alone + " alone, " + asked + " while bitmaps are requested");
            guest.run("randwrite end");
            figures.add(
                    Figure.of("words written with one request per second, relative to no requests", asked / alone, "")
                            .atLeast(WANTED_THROUGHPUT));
            guest.run("memeat fill gone " + fragmented + " 1 && memeat holes gone", LIMIT);
            figures.addAll(figures("fragmented", ask("fragmented", control, qemu), false));
            figures.addAll(holdsOfTheDriver(control, qemu));
        }
        figures.addAll(besides());
        return figures;
    }

    /** The reports and hints of Linux's own driver for memory that a program has just freed. */
    private List<Figure> besides() throws IOException {
        List<Figure> figures = new ArrayList<>();
        try (ServeProcess exomem = ServeProcess.start(List.of(VM + ",free-page-reporting=on"));
                QmpClient control = exomem.control();
                Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(linux))
                        .ram(memory << 20)
                        .driver("virtio_balloon")
                        .vhostUserBalloon(exomem.socket(VM)))) {
            GuestShell guest = qemu.guest();
            guest.run("memeat fill gone " + fragmented + " 1", LIMIT);
            double before = told(control, "reported");
            guest.run("memeat free gone", LIMIT);
            long start = System.nanoTime();
            for (int after : reportedAfter) {
                Duration left = Duration.ofSeconds(after).minusNanos(System.nanoTime() - start);
                Awaitility.await().pollDelay(left).atMost(LIMIT).until(() -> true);
                figures.add(Figure.of(
                        "freed: part that was reported after " + after + " s",
                        (told(control, "reported") - before) / (fragmented << 20),
                        ""));
            }
            double free = guest.memory().free();
            control.execute("free-page-hint", Map.of("vm", VM, "action", "start"));
            long asked = System.nanoTime();
            Awaitility.await()
                    .atMost(LIMIT)
                    .pollInterval(Duration.ofMillis(20))
                    .until(() -> state(control).equals("stopped"));
            figures.add(Figure.of("hinted, relative to the guest's free memory", told(control, "hinted") / free, ""));
            figures.add(Figure.of("hinted: time", (System.nanoTime() - asked) / 1e6, "ms"));
            control.execute("free-page-hint", Map.of("vm", VM, "action", "done"));
        }
        return figures;
    }

    private static double told(QmpClient control, String member) throws IOException {
        return control.execute("query-free-pages", Map.of("vm", VM))
                .path(member)
                .asDouble();
    }

    private static String state(QmpClient control) throws IOException {
        return control.execute("query-free-pages", Map.of("vm", VM))
                .path("state")
                .asText();
    }

    private List<Answer> ask(String state, QmpClient control, Qemu qemu) throws IOException {
        List<Answer> answers = new ArrayList<>();
        for (int i = 0; i < requests; i++) {
            double free = qemu.guest().memory().free();
            request(control);
            JsonNode bitmap = awaitAnswer(control);
            double hold = Double.parseDouble(
                    qemu.guest().run("cat " + DRIVER + "longest_hold").strip());
            answers.add(new Answer(
                    bitmap.path("time-us").asDouble() / 1e3,
                    bitmap.path("device-time-us").asDouble() / 1e3,
                    hold / 1e6,
                    bitmap.path("bytes").asDouble() / free));
            say("  " + state + ": " + answers.getLast() + " " + bitmap.path("chunks") + " chunks");
        }
        return answers;
    }

    private static List<Figure> figures(String state, List<Answer> answers, boolean limited) {
        Figure time = Figure.of(
                state + ": request to last chunk, median",
                median(answers.stream().map(Answer::time).toList()),
                "ms");
        Figure first = Figure.of(state + ": first request of a process", answers.getFirst().time, "ms");
        return List.of(
                limited ? time.atMost(WANTED_MILLIS) : time,
                limited ? first.atMost(WANTED_MILLIS) : first,
                Figure.of(
                                state + ": exomem's part, median",
                                median(answers.stream().map(Answer::device).toList()),
                                "ms")
                        .atMost(WANTED_DEVICE_MILLIS),
                longestHold(state, answers),
                Figure.of(
                        state + ": hold of a zone's lock, median",
                        median(answers.stream().map(Answer::hold).toList()),
                        "ms"),
                Figure.of(
                                state + ": answered, relative to the guest's free memory, minimum",
                                answers.stream()
                                        .mapToDouble(Answer::coverage)
                                        .min()
                                        .orElseThrow(),
                                "")
                        .atLeast(WANTED_COVERAGE));
    }

    private static Figure longestHold(String state, List<Answer> answers) {
        double longest = answers.stream().mapToDouble(Answer::hold).max().orElseThrow();
        return Figure.of(state + ": longest hold of a zone's lock", longest, "ms")
                .atMost(WANTED_HOLD_MILLIS);
    }

    /**
     * How long the driver locks while no other thread of this machine takes the processor of the guest's: a lock that is held meanwhile is
     * held longer, by any driver. No figure without the right to say so.
     */
    private List<Figure> holdsOfTheDriver(QmpClient control, Qemu qemu) throws IOException {
        try {
            SystemCommand.run("chrt", "--all-tasks", "--fifo", "--pid", "1", Long.toString(qemu.pid()));
        } catch (IOException e) {
            say("  QEMU's threads have no real-time priority: " + e.getMessage());
            return List.of();
        }
        String state = "fragmented, QEMU's threads with real-time priority";
        return List.of(longestHold(state, ask(state, control, qemu)));
    }

    private static double median(List<Double> values) {
        return Median.of(values);
    }

    private static void request(QmpClient control) throws IOException {
        control.execute("free-pages", Map.of("vm", VM));
    }

    private static JsonNode awaitAnswer(QmpClient control) {
        return Awaitility.await()
                .atMost(LIMIT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(
                        () -> control.execute("query-free-pages", Map.of("vm", VM))
                                .path("bitmap"),
                        bitmap -> bitmap.path("state").asText().equals("complete"));
    }

    private interface Step {
        void run() throws IOException;
    }

    /** Words that the program writes in a second, while {@code eachSecond} runs each second. */
    private double rate(GuestShell guest, Step eachSecond) throws IOException {
        int from = now(guest) + 1;
        for (int i = 0; i < seconds; i++) {
            eachSecond.run();
            Awaitility.await().pollDelay(Duration.ofSeconds(1)).atMost(LIMIT).until(() -> true);
        }
        int tenths = (seconds - 1) * TENTHS_A_SECOND;
        Awaitility.await().pollInterval(Duration.ofMillis(500)).atMost(LIMIT).until(() -> now(guest) > from + tenths);
        double words = 0;
        for (String count :
                guest.run("randwrite counts " + from + " " + tenths).strip().split(" ")) {
            words += Double.parseDouble(count);
        }
        return words / tenths * TENTHS_A_SECOND;
    }

    private static int now(GuestShell guest) throws IOException {
        return Integer.parseInt(guest.run("randwrite now").strip());
    }
}
