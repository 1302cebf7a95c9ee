package org.exomem.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.exomem.vmm.GuestImage;
import org.exomem.vmm.Qemu;
import org.exomem.vmm.QemuCommand;
import org.exomem.vmm.QmpClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The whole system: how long the same Linux guest in the same QEMU takes to plug memory and to unplug it again, once
 * with exomem's memory device and once with QEMU's own. Measured from the command until the driver's last request was
 * carried out.
 */
@Command(
        name = "guest-plug",
        mixinStandardHelpOptions = true,
        description =
                "A real Linux guest plugs and unplugs: exomem compared with QEMU's own memory device, without and with a guard.")
final class GuestPlug extends Benchmark {
    private static final double WANTED_PLUG = 1.0;
    private static final double WANTED_UNPLUG = 0.8;
    private static final double WANTED_GUARD = 1.1;
    /** Bytes that the guest boots with. All of them are below 2 GiB, and the regions of both devices begin at 4 GiB. */
    private static final long BOOT = 2L << 30;

    private static final long REGION = 4L << 30;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    // Each query loads the measured system. Plugging takes a fifth of a second, unplugging some seconds.
    private static final Duration LOOK_WHEN_PLUGGING = Duration.ofMillis(20);
    private static final Duration LOOK_WHEN_UNPLUGGING = Duration.ofMillis(100);

    @Option(names = "--size", paramLabel = "MIB", description = "Memory to plug. Default: ${DEFAULT-VALUE}")
    private long size = 4096;

    @Option(
            names = "--used",
            split = ",",
            paramLabel = "MIB",
            description = "Memory that a program in the guest fills and frees before the unplug, so that the host holds"
                    + " it. Default: ${DEFAULT-VALUE}")
    private List<Long> used = List.of(0L, 5000L);

    @Option(names = "--rounds", description = "Rounds of each, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 3;

    @Option(names = "--block", paramLabel = "MIB", description = "The block size of both. Default: ${DEFAULT-VALUE}")
    private long block = 2;

    @Option(names = "--linux", description = "The guest's kernel: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}")
    private GuestImage.Linux linux = GuestImage.Linux.BOOKWORM;

    /**
     * The result of one guest, in ms; {@code cpu} is that of QEMU, and of the back-end if that is another process.
     *
     * @param again the same plug after the unplug: the guest and the JVM have run this code before
     */
    private record Run(double plug, List<Long> plugCpu, double unplug, List<Long> unplugCpu, double again) {
        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "plug %.0f ms (CPU %s), unplug %.0f ms (CPU %s), second plug %.0f ms",
                    plug,
                    plugCpu,
                    unplug,
                    unplugCpu,
                    again);
        }
    }

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
        List<Run> guarded = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            // The order of the two alternates.
            if (round % 2 == 0) {
                own.add(qemu(before));
                ours.add(exomem(before, false));
                guarded.add(exomem(before, true));
            } else {
                guarded.add(exomem(before, true));
                ours.add(exomem(before, false));
                own.add(qemu(before));
            }
            say(String.format(Locale.ROOT, "  used %d MiB, round %d: QEMU %s", before, round + 1, own.getLast()));
            say(String.format(Locale.ROOT, "  used %d MiB, round %d: exomem %s", before, round + 1, ours.getLast()));
            say(String.format(
                    Locale.ROOT, "  used %d MiB, round %d: guarded %s", before, round + 1, guarded.getLast()));
        }
        String guest = before == 0 ? "memory that was not used" : "after " + before + " MiB were used";
        return List.of(
                Figure.of(
                        "QEMU's device: plug",
                        Median.of(own.stream().map(Run::plug).toList()),
                        "ms"),
                Figure.of("exomem: plug", Median.of(ours.stream().map(Run::plug).toList()), "ms"),
                ratio("plug, exomem / QEMU", ours, own, Run::plug).atMost(WANTED_PLUG),
                ratio("a second plug by the same processes, exomem / QEMU", ours, own, Run::again),
                ratio("plug, with guard / without", guarded, ours, Run::plug).atMost(WANTED_GUARD),
                Figure.of(
                        "QEMU's device: unplug, " + guest,
                        Median.of(own.stream().map(Run::unplug).toList()),
                        "ms"),
                Figure.of(
                        "exomem: unplug, " + guest,
                        Median.of(ours.stream().map(Run::unplug).toList()),
                        "ms"),
                ratio("unplug, exomem / QEMU, " + guest, ours, own, Run::unplug).atMost(WANTED_UNPLUG),
                ratio("unplug, with guard / without, " + guest, guarded, ours, Run::unplug)
                        .atMost(WANTED_GUARD));
    }

    private static Figure ratio(String name, List<Run> of, List<Run> against, ToDoubleFunction<Run> time) {
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round < of.size(); round++) {
            ratios.add(time.applyAsDouble(of.get(round)) / time.applyAsDouble(against.get(round)));
        }
        return Figure.of(name, Median.of(ratios), "");
    }

    private QemuCommand command() {
        return QemuCommand.of(GuestImage.of(linux)).ram(BOOT).driver("virtio_mem");
    }

    private Run qemu(long before) throws IOException {
        QemuCommand command = command()
                .arguments(
                        "-m",
                        "maxmem=" + (BOOT + REGION),
                        "-object",
                        "memory-backend-memfd,id=added,size=" + REGION + ",share=on",
                        "-device",
                        "virtio-mem-pci,id=mem0,memdev=added,requested-size=0,block-size=" + (block << 20));
        try (Qemu qemu = Qemu.start(command)) {
            return run(qemu, List.of(qemu.pid()), before, new Resizable() {
                @Override
                public void resize(long bytes) throws IOException {
                    qemu.qmp()
                            .execute(
                                    "qom-set",
                                    Map.of(
                                            "path",
                                            "/machine/peripheral/mem0",
                                            "property",
                                            "requested-size",
                                            "value",
                                            bytes));
                }

                @Override
                public long size() throws IOException {
                    return qemu.qmp()
                            .execute("qom-get", Map.of("path", "/machine/peripheral/mem0", "property", "size"))
                            .asLong();
                }
            });
        }
    }

    private Run exomem(long before, boolean guarded) throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        Path qmp = folder.resolve("qmp");
        String device = "a,addr=4G,size=" + REGION + ",block=" + (block << 20)
                + (guarded ? ",violation=prevent,vmm-qmp=" + qmp : "");
        try (ServeProcess exomem = ServeProcess.startMemories(List.of(device), false);
                QmpClient control = exomem.control();
                Qemu qemu = Qemu.start(command().listeningQmp(qmp).vhostUserMemory(exomem.socket("a"), REGION))) {
            if (guarded) {
                awaitGuard(control);
            }
            return run(qemu, List.of(qemu.pid(), exomem.pid()), before, new Resizable() {
                @Override
                public void resize(long bytes) throws IOException {
                    control.execute("mem-resize", Map.of("vm", "a", "size", bytes));
                }

                @Override
                public long size() throws IOException {
                    return control.execute("query-memory-devices")
                            .path(0)
                            .path("data")
                            .path("size")
                            .asLong();
                }
            });
        } finally {
            Files.deleteIfExists(qmp);
            Files.delete(folder);
        }
    }

    private static void awaitGuard(QmpClient control) throws IOException {
        long limit = System.nanoTime() + LIMIT.toNanos();
        JsonNode guard;
        do {
            guard = control.execute("query-memory-devices").path(0).path("data").path("guard");
        } while (!guard.path("on").asBoolean() && System.nanoTime() < limit);
        if (!guard.path("on").asBoolean()) {
            throw new IOException("the guard did not start: " + guard);
        }
    }

    private Run run(Qemu qemu, List<Long> processes, long before, Resizable memory) throws IOException {
        List<Long> cpu = ProcessUsage.cpuMillis(processes);
        double plug = memory.millisTo(size << 20, LOOK_WHEN_PLUGGING, LIMIT);
        List<Long> plugCpu = ProcessUsage.cpuMillisSince(cpu, processes);
        // The guest must still bring the last plugged blocks online.
        qemu.guest().run("true");
        if (before > 0) {
            qemu.guest().run("memeat fill a " + before + " 1", LIMIT);
            qemu.guest().run("memeat free a", LIMIT);
        }
        cpu = ProcessUsage.cpuMillis(processes);
        double unplug = memory.millisTo(0, LOOK_WHEN_UNPLUGGING, LIMIT);
        List<Long> unplugCpu = ProcessUsage.cpuMillisSince(cpu, processes);
        qemu.guest().run("true");
        double again = memory.millisTo(size << 20, LOOK_WHEN_PLUGGING, LIMIT);
        return new Run(plug, plugCpu, unplug, unplugCpu, again);
    }
}
