package org.exomem.benchmarks;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.exomem.vmm.GuestImage;
import org.exomem.vmm.Qemu;
import org.exomem.vmm.QemuCommand;
import org.exomem.vmm.QmpClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The whole system: how long the same Linux guest in the same QEMU takes to inflate, once with exomem's balloon and
 * once with QEMU's own. Measured from the command until the driver reports that it has finished.
 */
@Command(
        name = "guest-inflate",
        mixinStandardHelpOptions = true,
        description = "A real Linux guest inflates the balloon: exomem's time compared with QEMU's own balloon.")
final class GuestInflate extends Benchmark {
    private static final double WANTED = 0.7;
    // Each query wakes threads of the measured system; a hundred a second would cost it some percent.
    private static final Duration LOOK_AGAIN = Duration.ofMillis(100);
    private static final Duration LIMIT = Duration.ofMinutes(5);

    @Option(names = "--memory", paramLabel = "MIB", description = "The guest's memory. Default: ${DEFAULT-VALUE}")
    private long memory = 8192;

    @Option(names = "--inflate", paramLabel = "MIB", description = "Memory to inflate. Default: ${DEFAULT-VALUE}")
    private long inflate = 6144;

    @Option(
            names = "--used",
            split = ",",
            paramLabel = "MIB",
            description =
                    "Memory that a program in the guest fills and frees before, so that the host holds it; 0 for a guest"
                            + " that has just booted. Default: ${DEFAULT-VALUE}")
    private List<Long> used = List.of(0L, 7000L);

    @Option(names = "--rounds", description = "Rounds of each, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 3;

    @Option(names = "--linux", description = "The guest's kernel: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}")
    private GuestImage.Linux linux = GuestImage.Linux.BOOKWORM;

    @Option(
            names = "--balloon",
            paramLabel = "OPTIONS",
            description =
                    "Options of exomem's balloon, for example discard=off, which shows the guest's part of the time.")
    private String balloonOptions = "";

    /** The result of one guest, in ms; {@code cpu} is the processor time of QEMU and the back-end while it inflated. */
    private record Run(double inflate, double deflate, long cpu) {}

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        for (long before : used) {
            figures.addAll(compare(before));
        }
        return figures;
    }

    private List<Figure> compare(long before) throws IOException {
        List<Run> own = new ArrayList<>();
        List<Run> ours = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            own.add(qemu(before));
            ours.add(exomem(before));
            say(String.format(
                    Locale.ROOT,
                    "  used %d MiB, round %d: inflate QEMU %.0f ms (CPU %d), exomem %.0f ms (CPU %d); deflate %.0f, %.0f ms",
                    before,
                    round + 1,
                    own.getLast().inflate,
                    own.getLast().cpu,
                    ours.getLast().inflate,
                    ours.getLast().cpu,
                    own.getLast().deflate,
                    ours.getLast().deflate));
        }
        List<Double> inflateRatios = new ArrayList<>();
        List<Double> deflateRatios = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            inflateRatios.add(ours.get(round).inflate / own.get(round).inflate);
            deflateRatios.add(ours.get(round).deflate / own.get(round).deflate);
        }
        String guest = before == 0 ? "fresh guest" : "guest that used " + before + " MiB";
        return List.of(
                Figure.of(
                        "QEMU's balloon: inflate, " + guest,
                        Median.of(own.stream().map(Run::inflate).toList()),
                        "ms"),
                Figure.of(
                        "exomem: inflate, " + guest,
                        Median.of(ours.stream().map(Run::inflate).toList()),
                        "ms"),
                Figure.of("inflate, exomem / QEMU, " + guest, Median.of(inflateRatios), "")
                        .atMost(WANTED),
                Figure.of(
                        "QEMU's balloon: deflate, " + guest,
                        Median.of(own.stream().map(Run::deflate).toList()),
                        "ms"),
                Figure.of(
                        "exomem: deflate, " + guest,
                        Median.of(ours.stream().map(Run::deflate).toList()),
                        "ms"),
                Figure.of("deflate, exomem / QEMU, " + guest, Median.of(deflateRatios), ""));
    }

    private QemuCommand command() {
        return QemuCommand.of(GuestImage.of(linux)).ram(memory << 20).driver("virtio_balloon");
    }

    private Run qemu(long before) throws IOException {
        try (Qemu qemu = Qemu.start(command().ownBalloon())) {
            return run(qemu, List.of(qemu.pid()), before, new Resizable() {
                @Override
                public void resize(long bytes) throws IOException {
                    qemu.qmp().execute("balloon", Map.of("value", bytes));
                }

                @Override
                public long size() throws IOException {
                    return qemu.qmp().execute("query-balloon").path("actual").asLong();
                }
            });
        }
    }

    private Run exomem(long before) throws IOException {
        try (ServeProcess exomem = ServeProcess.start(List.of(balloonOptions.isEmpty() ? "a" : "a," + balloonOptions));
                QmpClient control = exomem.control();
                Qemu qemu = Qemu.start(command().vhostUserBalloon(exomem.socket("a")))) {
            return run(qemu, List.of(qemu.pid(), exomem.pid()), before, new Resizable() {
                @Override
                public void resize(long bytes) throws IOException {
                    control.execute("balloon", Map.of("vm", "a", "value", bytes));
                }

                @Override
                public long size() throws IOException {
                    return control.execute("query-balloon", Map.of("vm", "a"))
                            .path("actual")
                            .asLong();
                }
            });
        }
    }

    private Run run(Qemu qemu, List<Long> processes, long before, Resizable balloon) throws IOException {
        if (before > 0) {
            qemu.guest().run("memeat fill a " + before + " 1", LIMIT);
            qemu.guest().run("memeat free a", LIMIT);
        }
        long full = memory << 20;
        long cpuBefore = ProcessUsage.allCpuMillis(processes);
        double inflated = balloon.millisTo(full - (inflate << 20), LOOK_AGAIN, LIMIT);
        long cpu = ProcessUsage.allCpuMillis(processes) - cpuBefore;
        double deflated = balloon.millisTo(full, LOOK_AGAIN, LIMIT);
        return new Run(inflated, deflated, cpu);
    }
}
