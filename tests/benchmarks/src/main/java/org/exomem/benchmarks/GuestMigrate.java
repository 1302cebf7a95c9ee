package org.exomem.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.awaitility.Awaitility;
import org.exomem.conformance.guest.MemoryFolder;
import org.exomem.vmm.GuestImage;
import org.exomem.vmm.Qemu;
import org.exomem.vmm.QemuCommand;
import org.exomem.vmm.QmpClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The whole system: a Linux guest moves from one QEMU to another on the same machine, by QEMU alone and with exomem. It
 * is idle, or a program in it has used most of its memory and ended. Afterwards the guest must be alive at the
 * destination, with the memory that it held.
 */
@Command(
        name = "guest-migrate",
        mixinStandardHelpOptions = true,
        description = "A real Linux guest migrates: exomem compared with QEMU alone, with and without hints.")
final class GuestMigrate extends Benchmark {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    private static final long MIB = 1 << 20;
    /** MiB that the guest holds, and must still hold afterwards. */
    private static final long KEPT = 64;

    /** Bytes a second, far more than any socket here carries. */
    private static final long NO_LIMIT = 100L << 30;

    /** The heap limit of exomem at the source and at the destination: as much as the migration engine may use. */
    private static final String HEAP = "-Xmx64m";

    private static final double WANTED_BYTES = 22;
    private static final double WANTED_SHARE = 1.1;
    private static final double WANTED_TIME = 13.5;
    private static final double WANTED_AGAINST_QEMU = 5;
    private static final double WANTED_OF_BITMAP_AGAINST_QEMU = 10;
    private static final double WANTED_TOUCHED = 8;

    /** What migrates the guest, and what it knows about the guest's memory. */
    enum Way {
        QEMU("QEMU, private memory"),
        QEMU_HINTS("QEMU, private memory, hints"),
        QEMU_SHARED("QEMU, shared memory"),
        QEMU_SHARED_HINTS("QEMU, shared memory, hints"),
        EXOMEM("exomem, no hints"),
        EXOMEM_HINTS("exomem, hints"),
        EXOMEM_HINTS_NOT_CLEARED("exomem, hints, init_on_alloc=0"),
        EXOMEM_REPORTING("exomem, reporting"),
        EXOMEM_BITMAP("exomem, bitmap"),
        /** No log of writes: page descriptors show at the pause which pages are free. */
        EXOMEM_DESCRIPTORS("exomem, page descriptors"),
        EXOMEM_COMPARE("exomem, no hints, comparing"),
        EXOMEM_SKIP("exomem, hints, comparing, skip unchanged");

        private final String title;

        Way(String title) {
            this.title = title;
        }

        boolean isQemu() {
            return EnumSet.of(QEMU, QEMU_HINTS, QEMU_SHARED, QEMU_SHARED_HINTS).contains(this);
        }

        boolean hints() {
            return name().contains("HINTS") || this == EXOMEM_SKIP;
        }

        /** The name on exomem's control socket. */
        String hintsWord() {
            if (hasOurDriver()) {
                return "bitmap";
            }
            return hints() ? "hint" : "none";
        }

        private boolean hasOurDriver() {
            return this == EXOMEM_BITMAP || this == EXOMEM_DESCRIPTORS;
        }

        /** The guest's driver of the balloon. */
        String driver() {
            return hasOurDriver() ? "exomem_balloon" : "virtio_balloon";
        }

        /** QEMU's private memory, as for users without a vhost-user device. */
        boolean isPrivate() {
            return this == QEMU || this == QEMU_HINTS;
        }

        /** How exomem finds the pages that the guest writes. */
        String writes() {
            return EnumSet.of(EXOMEM_COMPARE, EXOMEM_SKIP, EXOMEM_DESCRIPTORS).contains(this) ? "compare" : "watch";
        }
    }

    /** What happened to the guest's memory before. */
    enum Before {
        BOOT("idle guest", 1),
        /** As with a VMM that preallocates: the host holds all memory, and the guest uses little of it. */
        TOUCHING("idle guest, all its memory touched", WANTED_TOUCHED),
        WORK("guest after its work", WANTED_TIME);

        private final String title;
        /** The required ratio of the time without hints to the time with them. */
        private final double wanted;

        Before(String title, double wanted) {
            this.title = title;
            this.wanted = wanted;
        }
    }

    @Option(names = "--memory", paramLabel = "MIB", description = "The guest's memory. Default: ${DEFAULT-VALUE}")
    private long memory = 8192;

    @Option(
            names = "--used",
            paramLabel = "MIB",
            description = "Memory that a program in the guest has filled and freed before the migration. Default:"
                    + " ${DEFAULT-VALUE}")
    private long used = 7000;

    @Option(names = "--after", split = ",", description = "Which of ${COMPLETION-CANDIDATES}. Default: all")
    private List<Before> befores = List.of(Before.values());

    @Option(names = "--ways", split = ",", description = "Which of ${COMPLETION-CANDIDATES}. Default: all")
    private List<Way> ways = List.of(Way.values());

    @Option(names = "--channels", description = "Connections for exomem's stream. Default: ${DEFAULT-VALUE}")
    private int channels = 2;

    @Option(names = "--rounds", description = "Rounds of each, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 1;

    @Option(names = "--linux", description = "The guest's kernel: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}")
    private GuestImage.Linux linux = GuestImage.Linux.BOOKWORM;

    @Option(names = "--picture", paramLabel = "FILE", description = "Draws the times and bytes as an SVG.")
    private Path picture = Path.of(System.getProperty("exomem.results", "target/results"), "guest-migrate.svg");

    /** One migration; times in ms, {@code used} the bytes that the guest had in use. */
    record Run(double time, double bytes, double downtime, double cpu, double used) {}

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        List<MigrationPicture.Group> groups = new ArrayList<>();
        for (Before before : befores) {
            Map<Way, List<Run>> runs = new EnumMap<>(Way.class);
            for (int round = 0; round < rounds; round++) {
                for (Way way : ways) {
                    Run run = migrate(way, before);
                    runs.computeIfAbsent(way, key -> new ArrayList<>()).add(run);
                    say(String.format(
                            Locale.ROOT,
                            "  %s, %s: %.0f ms, %.0f MiB, paused %.0f ms, CPU %.0f ms, guest uses %.0f MiB",
                            before.title,
                            way.title,
                            run.time,
                            run.bytes / MIB,
                            run.downtime,
                            run.cpu,
                            run.used / MIB));
                }
            }
            Map<Way, Run> medians = new EnumMap<>(Way.class);
            runs.forEach((way, all) -> medians.put(way, median(all)));
            medians.forEach((way, run) -> figures.addAll(figures(before, way, run)));
            figures.addAll(ratios(before, medians));
            groups.add(new MigrationPicture.Group(
                    before.title,
                    medians.entrySet().stream()
                            .map(entry -> new MigrationPicture.Bar(
                                    entry.getKey().title,
                                    entry.getValue().time,
                                    entry.getValue().bytes / MIB,
                                    entry.getValue().downtime))
                            .toList()));
        }
        Files.createDirectories(picture.toAbsolutePath().getParent());
        Files.writeString(picture, MigrationPicture.svg(memory, groups));
        return figures;
    }

    private static Run median(List<Run> runs) {
        return new Run(
                median(runs, Run::time),
                median(runs, Run::bytes),
                median(runs, Run::downtime),
                median(runs, Run::cpu),
                median(runs, Run::used));
    }

    private static double median(List<Run> runs, ToDoubleFunction<Run> of) {
        return Median.of(runs.stream().map(of::applyAsDouble).toList());
    }

    private static List<Figure> figures(Before before, Way way, Run run) {
        String name = before.title + ", " + way.title + ": ";
        return List.of(
                Figure.of(name + "time", run.time, "ms"),
                Figure.of(name + "bytes", run.bytes / MIB, "MiB"),
                Figure.of(name + "downtime", run.downtime, "ms"),
                Figure.of(name + "CPU of all processes", run.cpu, "ms"));
    }

    private static List<Figure> ratios(Before before, Map<Way, Run> runs) {
        List<Figure> figures = new ArrayList<>();
        Run plain = runs.get(Way.EXOMEM);
        Run hinting = runs.get(Way.QEMU_HINTS);
        Run alone = runs.get(Way.QEMU);
        if (plain != null && alone != null && before == Before.WORK) {
            figures.add(Figure.of(
                            before.title + ", " + Way.EXOMEM.title + ": time relative to QEMU with private memory",
                            plain.time / alone.time,
                            "")
                    .atMost(1));
        }
        for (Way way : List.of(
                Way.EXOMEM_HINTS,
                Way.EXOMEM_HINTS_NOT_CLEARED,
                Way.EXOMEM_REPORTING,
                Way.EXOMEM_BITMAP,
                Way.EXOMEM_DESCRIPTORS,
                Way.EXOMEM_SKIP)) {
            Run run = runs.get(way);
            if (run == null) {
                continue;
            }
            String name = before.title + ", " + way.title + ": ";
            if (plain != null) {
                figures.add(Figure.of(name + "times shorter than without hints", plain.time / run.time, "")
                        .atLeast(before.wanted));
            }
            if (before != Before.WORK) {
                continue;
            }
            if (plain != null) {
                figures.add(Figure.of(name + "times fewer bytes than without hints", plain.bytes / run.bytes, "")
                        .atLeast(WANTED_BYTES));
            }
            boolean bitmap = way == Way.EXOMEM_BITMAP;
            figures.add(Figure.of(name + "bytes / memory that the guest uses", run.bytes / run.used, "")
                    .atMost(bitmap ? 1 : WANTED_SHARE));
            if (hinting != null) {
                figures.add(Figure.of(name + "times shorter than QEMU with hints", hinting.time / run.time, "")
                        .atLeast(bitmap ? WANTED_OF_BITMAP_AGAINST_QEMU : WANTED_AGAINST_QEMU));
            }
        }
        return figures;
    }

    private Run migrate(Way way, Before before) throws IOException {
        try (MemoryFolder folder = MemoryFolder.make(Path.of("/dev/shm"))) {
            return way.isQemu() ? byQemu(way, before, folder.path()) : byExomem(way, before, folder.path());
        }
    }

    private QemuCommand source(Path folder, Way way, Before before) {
        QemuCommand command = command(folder, way, "a");
        return before == Before.TOUCHING ? command.preallocated() : command;
    }

    private QemuCommand command(Path folder, Way way, String name) {
        QemuCommand command = QemuCommand.of(GuestImage.of(linux))
                .ram(memory << 20)
                .ramFile(folder.resolve(name + ".ram"))
                .listeningQmp(folder.resolve(name + ".qmp"))
                .driver(way.driver());
        if (way == Way.EXOMEM_HINTS_NOT_CLEARED) {
            command.kernelArgument("init_on_alloc=0");
        }
        return way.isPrivate() ? command.privateMemory() : command;
    }

    private Run byQemu(Way way, Before before, Path folder) throws IOException {
        String hint = "free-page-hint=" + (way.hints() ? "on,iothread=io0" : "off");
        String[] thread = {"-object", "iothread,id=io0"};
        try (Qemu source =
                        Qemu.start(source(folder, way, before).arguments(thread).ownBalloon(hint));
                Qemu destination = Qemu.start(command(folder, way, "b")
                        .arguments(thread)
                        .ownBalloon(hint)
                        .incoming())) {
            String checksum = work(source, before, folder);
            String uri = "unix:" + folder.resolve("stream");
            destination.qmp().execute("migrate-incoming", Map.of("uri", uri));
            source.qmp().execute("migrate-set-parameters", Map.of("max-bandwidth", NO_LIMIT));
            double inUse = inUse(source);
            List<Long> processes = List.of(source.pid(), destination.pid());
            long cpu = ProcessUsage.allCpuMillis(processes);
            source.qmp().execute("migrate", Map.of("uri", uri));
            JsonNode done = awaitEnd(source.qmp(), Map.of());
            long cpuUsed = ProcessUsage.allCpuMillis(processes) - cpu;
            check(destination, checksum);
            return new Run(
                    done.path("total-time").asDouble(),
                    done.path("ram").path("transferred").asDouble(),
                    done.path("downtime").asDouble(),
                    cpuUsed,
                    inUse);
        }
    }

    private Run byExomem(Way way, Before before, Path folder) throws IOException {
        boolean reporting = way == Way.EXOMEM_REPORTING;
        String options = ",free-page-reporting=" + (reporting ? "on" : "off") + ",vmm-qmp=" + folder;
        try (ServeProcess here = ServeProcess.start(List.of("a" + options + "/a.qmp"), HEAP);
                ServeProcess there = ServeProcess.start(List.of("a" + options + "/b.qmp"), HEAP);
                QmpClient sender = here.control();
                QmpClient receiver = there.control();
                Qemu source = Qemu.start(source(folder, way, before).vhostUserBalloon(here.socket("a")));
                Qemu destination = Qemu.start(command(folder, way, "b").incoming())) {
            String checksum = work(source, before, folder);
            if (reporting) {
                awaitReported(source);
                warm(folder).close();
            }
            String uri = "unix:" + folder.resolve("stream");
            receiver.execute("migrate-incoming", Map.of("vm", "a", "uri", uri));
            Map<String, Object> wish = new HashMap<>(Map.of("vm", "a", "uri", uri, "channels", channels));
            wish.put("hints", way.hintsWord());
            wish.put("writes", way.writes());
            wish.put("hinted-pages", way == Way.EXOMEM_SKIP ? "skip-unchanged" : "send");
            double inUse = inUse(source);
            List<Long> processes = List.of(source.pid(), destination.pid(), here.pid(), there.pid());
            long cpu = ProcessUsage.allCpuMillis(processes);
            sender.execute("migrate", wish);
            JsonNode done = awaitEnd(sender, Map.of("vm", "a"));
            long cpuUsed = ProcessUsage.allCpuMillis(processes) - cpu;
            check(destination, checksum);
            say("    " + done.path("writes") + " " + done.path("pages"));
            return new Run(
                    done.path("total-time").asDouble(),
                    done.path("pages").path("sent-bytes").asDouble(),
                    done.path("downtime").asDouble(),
                    cpuUsed,
                    inUse);
        }
    }

    private String work(Qemu qemu, Before before, Path folder) throws IOException {
        qemu.guest().run("memeat fill kept " + KEPT + " 7", LIMIT);
        if (before == Before.WORK) {
            qemu.guest().run("memeat fill gone " + used + " 1", LIMIT);
        }
        String checksum = qemu.guest().run("memeat verify kept");
        try (WarmMemory _ = warm(folder)) {
            if (before == Before.WORK) {
                qemu.guest().run("memeat free gone", LIMIT);
            }
        }
        return checksum;
    }

    /** The memory that the destination will fill. */
    private WarmMemory warm(Path folder) throws IOException {
        return WarmMemory.of(folder, memory << 20);
    }

    /** A guest that lost memory would have died, or would detect the loss. */
    private static void check(Qemu destination, String checksum) throws IOException {
        String found = destination.guest().run("memeat verify kept", LIMIT);
        if (!found.equals(checksum)) {
            throw new IOException("the guest's memory differs at the destination: " + found);
        }
    }

    /** All memory that the guest does not count as free: programs, caches, and the kernel with its own tables. */
    private double inUse(Qemu qemu) throws IOException {
        return (memory << 20) - qemu.guest().memory().free();
    }

    /** Waits until reports free no more: every two seconds, a sixteenth of the free memory is reported. */
    private static void awaitReported(Qemu qemu) {
        long[] last = {Long.MAX_VALUE};
        Awaitility.await()
                .pollDelay(Duration.ofSeconds(6))
                .pollInterval(Duration.ofSeconds(6))
                .atMost(LIMIT)
                .until(() -> {
                    long now = qemu.ram().allocated();
                    boolean settled = now > last[0] - 8 * MIB;
                    last[0] = now;
                    return settled;
                });
    }

    private static JsonNode awaitEnd(QmpClient qmp, Map<String, ?> arguments) throws IOException {
        JsonNode[] last = new JsonNode[1];
        Awaitility.await()
                .pollDelay(LOOK_AGAIN)
                .pollInterval(LOOK_AGAIN)
                .atMost(LIMIT)
                .until(() -> {
                    last[0] = qmp.execute("query-migrate", arguments);
                    return switch (last[0].path("status").asText()) {
                        case "completed", "failed", "cancelled" -> true;
                        default -> false;
                    };
                });
        if (!last[0].path("status").asText().equals("completed")) {
            throw new IOException("the guest did not migrate: " + last[0]);
        }
        return last[0];
    }
}
