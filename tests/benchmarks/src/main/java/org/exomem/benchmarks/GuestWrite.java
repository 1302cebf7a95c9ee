package org.exomem.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.awaitility.Awaitility;
import org.exomem.conformance.guest.MemoryFolder;
import org.exomem.vmm.GuestImage;
import org.exomem.vmm.GuestShell;
import org.exomem.vmm.Qemu;
import org.exomem.vmm.QemuCommand;
import org.exomem.vmm.QmpClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * How much a migration slows down a program that writes its guest's memory at random. Each guest is compared with
 * itself: what the program wrote in some seconds before the migration, against what it wrote in as many seconds of the
 * migration, from its first second on. The migration is cancelled afterwards.
 */
@Command(
        name = "guest-write",
        mixinStandardHelpOptions = true,
        description = "A program in a real Linux guest writes memory at random while its guest migrates.")
final class GuestWrite extends Benchmark {
    /** Two windows whose rates differ by less than this part are steady. */
    private static final double STEADY = 0.05;

    private static final int MOST_WINDOWS = 24;

    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final long MIB = 1 << 20;
    private static final int TENTHS_A_SECOND = 10;
    private static final double WANTED = 1.05;

    /** What migrates the guest. */
    enum Way {
        QEMU("QEMU, private memory", ""),
        EXOMEM("exomem", "auto"),
        EXOMEM_WATCH("exomem, watching", "watch"),
        EXOMEM_COMPARE("exomem, comparing", "compare");

        private final String title;
        /** How exomem finds the pages that are written. */
        private final String writes;

        Way(String title, String writes) {
            this.title = title;
            this.writes = writes;
        }
    }

    @Option(names = "--memory", paramLabel = "MIB", description = "The guest's memory. Default: ${DEFAULT-VALUE}")
    private long memory = 2048;

    @Option(names = "--written", paramLabel = "MIB", description = "Memory that is written. Default: ${DEFAULT-VALUE}")
    private long written = 1024;

    @Option(names = "--seconds", description = "Length of each measurement. Default: ${DEFAULT-VALUE}")
    private int seconds = 5;

    @Option(
            names = "--bandwidth",
            paramLabel = "MIB",
            description =
                    "Limit of a migration's bandwidth per second, so that it lasts long enough. Default: ${DEFAULT-VALUE}")
    private long bandwidth = 256;

    @Option(names = "--ways", split = ",", description = "Which of ${COMPLETION-CANDIDATES}. Default: all")
    private List<Way> ways = List.of(Way.values());

    @Option(names = "--rounds", description = "Rounds of each, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 3;

    /** Millions of words written in a second. */
    private record Run(double before, double meanwhile) {
        double slowDown() {
            return before / meanwhile;
        }
    }

    @Override
    List<Figure> measure() throws IOException {
        Map<Way, List<Run>> runs = new EnumMap<>(Way.class);
        for (int round = 0; round < rounds; round++) {
            for (Way way : ways) {
                Run run = run(way);
                runs.computeIfAbsent(way, key -> new ArrayList<>()).add(run);
                say(String.format(
                        Locale.ROOT,
                        "  %s: %.2f million words per second before, %.2f while the guest migrates: %.3f times slower",
                        way.title,
                        run.before,
                        run.meanwhile,
                        run.slowDown()));
            }
        }
        List<Figure> figures = new ArrayList<>();
        runs.forEach((way, all) -> {
            figures.add(
                    Figure.of(way.title + ": words written per second, no migration", median(all, false), "million"));
            figures.add(Figure.of(
                    way.title + ": words written per second while the guest migrates", median(all, true), "million"));
            figures.add(Figure.of(way.title + ": times slower", slowDown(all), ""));
        });
        List<Run> alone = runs.get(Way.QEMU);
        if (alone != null) {
            runs.forEach((way, all) -> {
                if (way != Way.QEMU) {
                    Figure figure =
                            Figure.of(way.title + ": slow-down relative to QEMU", slowDown(all) / slowDown(alone), "");
                    figures.add(way == Way.EXOMEM ? figure.atMost(WANTED) : figure);
                }
            });
        }
        return figures;
    }

    private static double median(List<Run> runs, boolean meanwhile) {
        return Median.of(
                runs.stream().map(run -> meanwhile ? run.meanwhile : run.before).toList());
    }

    private static double slowDown(List<Run> runs) {
        return Median.of(runs.stream().map(Run::slowDown).toList());
    }

    private Run run(Way way) throws IOException {
        try (MemoryFolder folder = MemoryFolder.make(Path.of("/dev/shm"))) {
            return way == Way.QEMU ? byQemu(folder.path()) : byExomem(way, folder.path());
        }
    }

    private QemuCommand guest(Path folder, String name) {
        return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(memory << 20)
                .ramFile(folder.resolve(name + ".ram"))
                .listeningQmp(folder.resolve(name + ".qmp"));
    }

    private Run byQemu(Path folder) throws IOException {
        try (Qemu source = Qemu.start(guest(folder, "a").privateMemory());
                Qemu destination = Qemu.start(guest(folder, "b").privateMemory().incoming())) {
            String uri = "unix:" + folder.resolve("stream");
            destination.qmp().execute("migrate-incoming", Map.of("uri", uri));
            // The migration does not end by itself, so it can't end within the measured time.
            source.qmp()
                    .execute("migrate-set-parameters", Map.of("max-bandwidth", bandwidth * MIB, "downtime-limit", 1));
            return run(folder, source, source.qmp(), Map.of("uri", uri), Map.of(), "migrate_cancel");
        }
    }

    private Run byExomem(Way way, Path folder) throws IOException {
        try (ServeProcess here = ServeProcess.start(List.of("a,vmm-qmp=" + folder + "/a.qmp"));
                ServeProcess there = ServeProcess.start(List.of("a,vmm-qmp=" + folder + "/b.qmp"));
                QmpClient sender = here.control();
                QmpClient receiver = there.control();
                Qemu source = Qemu.start(guest(folder, "a"));
                Qemu _ = Qemu.start(guest(folder, "b").incoming())) {
            Map<String, Object> vm = Map.of("vm", "a");
            String uri = "unix:" + folder.resolve("stream");
            receiver.execute("migrate-incoming", Map.of("vm", "a", "uri", uri));
            Map<String, Object> wish = Map.of(
                    "vm", "a", "uri", uri, "max-bandwidth", bandwidth * MIB, "downtime-limit", 1, "writes", way.writes);
            return run(folder, source, sender, wish, vm, "migrate-cancel");
        }
    }

    private Run run(Path folder, Qemu source, QmpClient control, Map<String, ?> wish, Map<String, ?> vm, String cancel)
            throws IOException {
        GuestShell guest = source.guest();
        guest.run("randwrite start " + written, LIMIT);
        WarmMemory.of(folder, memory << 20).close();
        int window = seconds * TENTHS_A_SECOND;
        double alone = steadyRate(guest, window);
        // The present tenth of a second has begun already.
        int begun = now(guest) + 1;
        control.execute("migrate", wish);
        double meanwhile = rate(guest, begun + TENTHS_A_SECOND, window);
        JsonNode state = control.execute("query-migrate", vm);
        if (!state.path("status").asText().equals("active")) {
            throw new IOException("the guest migrated for less than " + (seconds + 1)
                    + " s, or not at all; adjust --bandwidth and --seconds: " + state);
        }
        say("    " + state.path("ram") + " " + state.path("writes"));
        control.execute(cancel, vm);
        return new Run(alone, meanwhile);
    }

    /** The rate when it no longer changes. A program that has just started is slower for some seconds. */
    private double steadyRate(GuestShell guest, int window) throws IOException {
        double last = rate(guest, now(guest), window);
        for (int i = 0; i < MOST_WINDOWS; i++) {
            double next = rate(guest, now(guest), window);
            if (Math.abs(next - last) <= last * STEADY) {
                return next;
            }
            last = next;
        }
        throw new IOException(
                "the rate at which the guest writes does not become steady; measure on a quieter machine");
    }

    private static int now(GuestShell guest) throws IOException {
        return Integer.parseInt(guest.run("randwrite now").strip());
    }

    /**
     * Waits until these tenths of a second are over. Polls rarely, because a query also loads the guest. Returns
     * million words a second.
     */
    private double rate(GuestShell guest, int from, int tenths) throws IOException {
        Awaitility.await()
                .pollDelay(Duration.ofSeconds(seconds))
                .pollInterval(Duration.ofMillis(500))
                .atMost(LIMIT)
                .until(() -> now(guest) > from + tenths);
        double[] counts = Arrays.stream(guest.run("randwrite counts " + from + " " + tenths)
                        .strip()
                        .split(" "))
                .mapToDouble(Double::parseDouble)
                .toArray();
        return Arrays.stream(counts).sum() / tenths * TENTHS_A_SECOND / 1e6;
    }
}
