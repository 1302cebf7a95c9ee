package org.exomem.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
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
 * A Linux guest runs at another QEMU before its memory is there, by exomem and by QEMU's own post-copy, alternating.
 * Both hand over at once: nothing was sent before. As soon as the guest runs at the destination, a program in it reads
 * all the memory that it has filled.
 */
@Command(
        name = "guest-postcopy",
        mixinStandardHelpOptions = true,
        description = "A real Linux guest migrates by post-copy: exomem compared with QEMU.")
final class GuestPostCopy extends Benchmark {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(5);
    private static final String VM = "a";
    private static final double WANTED_PAUSE = 1.2;

    @Option(names = "--memory", paramLabel = "MIB", description = "The guest's memory. Default: ${DEFAULT-VALUE}")
    private long memory = 8192;

    @Option(
            names = "--used",
            paramLabel = "MIB",
            description = "Memory that a program in the guest has filled, and reads. Default: ${DEFAULT-VALUE}")
    private int used = 500;

    @Option(names = "--rounds", description = "Rounds of each, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 5;

    @Option(names = "--channels", description = "Connections for exomem's stream. Default: ${DEFAULT-VALUE}")
    private int channels = 2;

    /**
     * One migration; times in ms.
     *
     * @param pause from the stop of the guest until it runs at the destination
     * @param asked from the command until then
     * @param reading how many times longer the program took there than here before
     * @param all from the command until all memory had arrived
     */
    private record Run(double pause, double asked, double reading, double all) {}

    @Override
    List<Figure> measure() throws IOException {
        List<Run> theirs = new ArrayList<>();
        List<Run> ours = new ArrayList<>();
        for (int i = 0; i < rounds; i++) {
            try (MemoryFolder folder = MemoryFolder.make(Path.of("/dev/shm"))) {
                theirs.add(told("QEMU", byQemu(folder.path())));
            }
            try (MemoryFolder folder = MemoryFolder.make(Path.of("/dev/shm"))) {
                ours.add(told("exomem", byExomem(folder.path())));
            }
        }
        List<Figure> figures = new ArrayList<>();
        add(figures, "pause of the guest", "ms", theirs, ours, Run::pause, WANTED_PAUSE);
        add(figures, "command until the guest runs at the destination", "ms", theirs, ours, Run::asked, 0);
        add(figures, "program's time during the transfer, relative to before", "times", theirs, ours, Run::reading, 1);
        add(figures, "command until all memory is at the destination", "ms", theirs, ours, Run::all, 0);
        return figures;
    }

    private Run told(String who, Run run) {
        say(String.format(
                Locale.ROOT,
                "  %s: paused %.1f ms, runs at the destination after %.0f ms, reads %.2f times as long, complete"
                        + " after %.0f ms",
                who,
                run.pause,
                run.asked,
                run.reading,
                run.all));
        return run;
    }

    private static void add(
            List<Figure> figures,
            String what,
            String unit,
            List<Run> theirs,
            List<Run> ours,
            ToDoubleFunction<Run> of,
            double wanted) {
        double their = median(theirs, of);
        double our = median(ours, of);
        figures.add(Figure.of("QEMU's post-copy: " + what, their, unit));
        figures.add(Figure.of("exomem's post-copy: " + what, our, unit));
        if (wanted > 0) {
            figures.add(Figure.of(what + ", exomem / QEMU", our / their, "").atMost(wanted));
        }
    }

    private static double median(List<Run> runs, ToDoubleFunction<Run> of) {
        return Median.of(runs.stream().map(of::applyAsDouble).toList());
    }

    private QemuCommand guest(Path folder, String name) {
        return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(memory << 20)
                .ramFile(folder.resolve(name + ".ram"))
                .listeningQmp(folder.resolve(name + ".qmp"))
                .driver("virtio_balloon");
    }

    /** Runs the program that reads its memory. Returns its time in ms. */
    private static double read(Qemu qemu, String checksum) throws IOException {
        long begin = System.nanoTime();
        String found = qemu.guest().run("memeat verify kept", LIMIT);
        if (!checksum.isEmpty() && !found.equals(checksum)) {
            throw new IOException("the guest's memory differs at the destination: " + found);
        }
        return (System.nanoTime() - begin) / 1e6;
    }

    private static String fill(Qemu source, int mib) throws IOException {
        source.guest().run("memeat fill kept " + mib + " 1", LIMIT);
        return source.guest().run("memeat verify kept", LIMIT);
    }

    private Run byQemu(Path folder) throws IOException {
        try (Qemu source = Qemu.start(guest(folder, "a").privateMemory().ownBalloon(""));
                Qemu destination = Qemu.start(
                        guest(folder, "b").privateMemory().ownBalloon("").incoming())) {
            String checksum = fill(source, used);
            double before = read(source, checksum);
            for (Qemu end : List.of(source, destination)) {
                end.qmp()
                        .execute(
                                "migrate-set-capabilities",
                                Map.of(
                                        "capabilities",
                                        List.of(
                                                Map.of("capability", "postcopy-ram", "state", true),
                                                Map.of("capability", "postcopy-preempt", "state", true))));
            }
            source.qmp().execute("migrate-set-parameters", Map.of("max-bandwidth", 1L << 20));
            String uri = "unix:" + folder.resolve("stream");
            destination.qmp().execute("migrate-incoming", Map.of("uri", uri));
            long begin = System.nanoTime();
            source.qmp().execute("migrate", Map.of("uri", uri));
            Awaitility.await()
                    .atMost(LIMIT)
                    .pollInterval(LOOK_AGAIN)
                    .until(() -> status(source.qmp(), Map.of()).equals("active"));
            source.qmp().execute("migrate-start-postcopy");
            return run(source, destination, checksum, before, begin, () -> status(source.qmp(), Map.of()));
        }
    }

    private Run byExomem(Path folder) throws IOException {
        try (ServeProcess here = ServeProcess.startKeeping(VM + ",vmm-qmp=" + folder.resolve("a.qmp"));
                ServeProcess there = ServeProcess.startKeeping(VM + ",vmm-qmp=" + folder.resolve("b.qmp"));
                QmpClient sender = here.control();
                QmpClient receiver = there.control();
                Qemu source = Qemu.start(guest(folder, "a").vhostUserBalloon(here.socket(VM)));
                Qemu destination = Qemu.start(guest(folder, "b").incoming())) {
            String checksum = fill(source, used);
            double before = read(source, checksum);
            String uri = "unix:" + folder.resolve("stream");
            receiver.execute("migrate-incoming", Map.of("vm", VM, "uri", uri));
            long begin = System.nanoTime();
            sender.execute(
                    "migrate",
                    Map.of("vm", VM, "uri", uri, "channels", channels, "post-copy-after-rounds", 0, "hints", "none"));
            return run(source, destination, checksum, before, begin, () -> status(sender, Map.of("vm", VM)));
        }
    }

    private interface Asking {
        String status() throws IOException;
    }

    private static Run run(Qemu source, Qemu destination, String checksum, double before, long begin, Asking asking)
            throws IOException {
        var runs = destination.qmp().awaitEvent("RESUME", LIMIT).time();
        double asked = (System.nanoTime() - begin) / 1e6;
        double pause = Duration.between(source.qmp().awaitEvent("STOP", LIMIT).time(), runs)
                        .toNanos()
                / 1e6;
        double reading = read(destination, checksum) / before;
        Awaitility.await().atMost(LIMIT).pollInterval(LOOK_AGAIN).until(() -> {
            String status = asking.status();
            if (status.equals("failed")) {
                throw new IOException("the guest did not migrate");
            }
            return status.equals("completed");
        });
        return new Run(pause, asked, reading, (System.nanoTime() - begin) / 1e6);
    }

    private static String status(QmpClient qmp, Map<String, ?> arguments) throws IOException {
        JsonNode state = qmp.execute("query-migrate", arguments);
        return state.path("status").asText();
    }
}
