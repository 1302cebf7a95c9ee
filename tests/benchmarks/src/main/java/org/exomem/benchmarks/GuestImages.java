package org.exomem.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.exomem.vmm.GuestImage;
import org.exomem.vmm.OwnQemu;
import org.exomem.vmm.QemuCommand;
import org.exomem.vmm.QmpClient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * A Linux guest moves to a new QEMU, is saved, restored, made a template and cloned. For comparison: QEMU's own live
 * update ({@code cpr-transfer}). Each command runs as for a user.
 */
@Command(
        name = "guest-images",
        mixinStandardHelpOptions = true,
        description = "A real Linux guest is updated, saved, restored and cloned.")
final class GuestImages extends Benchmark {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final String VM = "a";
    private static final String SERVE = "--serve";
    private static final double WANTED_UPDATE_MILLIS = 150;
    private static final double WANTED_SAVE_MILLIS = 50;
    private static final double WANTED_CLONE_MILLIS = 130;
    private static final double WANTED_CLONES_RATIO = 1.2;
    private static final double WANTED_SAVED_MIB = 80;
    private static final double MIB = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    @Option(
            names = "--memory",
            split = ",",
            paramLabel = "MIB",
            description = "Sizes of the guest. Default: ${DEFAULT-VALUE}")
    private List<Integer> sizes = List.of(1024, 8192);

    @Option(
            names = "--used",
            paramLabel = "MIB",
            description = "Memory that a program in the guest has filled. Default: ${DEFAULT-VALUE}")
    private int used = 300;

    @Option(names = "--clones", description = "Clones that start at the same time. Default: ${DEFAULT-VALUE}")
    private int clones = 20;

    @Option(names = "--rounds", description = "Updates and saves of each guest. Default: ${DEFAULT-VALUE}")
    private int rounds = 5;

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        for (int size : sizes) {
            Path folder = Files.createTempDirectory(Path.of("/dev/shm"), "exomem-benchmark");
            try (ServeProcess exomem = ServeProcess.start(List.of(VM + ",vmm-qmp=" + folder.resolve("a.qmp")))) {
                new Run(size, folder, exomem).measure(figures);
            } finally {
                delete(folder);
            }
        }
        return figures;
    }

    /** The measurements of one guest of one size. */
    private final class Run {
        private final int size;
        private final Path folder;
        private final ServeProcess exomem;

        Run(int size, Path folder, ServeProcess exomem) {
            this.size = size;
            this.folder = folder;
            this.exomem = exomem;
        }

        private String name(String what) {
            return (size >> 10) + " GiB: " + what;
        }

        private QemuCommand guest() {
            return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                    .ram((long) size << 20)
                    .ramFile(folder.resolve("a.ram"))
                    .listeningQmp(folder.resolve("a.qmp"))
                    .driver("virtio_balloon");
        }

        void measure(List<Figure> figures) throws IOException {
            double cpr = cprTransfer();
            List<Double> updates = new ArrayList<>();
            List<Double> saves = new ArrayList<>();
            try (OwnQemu qemu = OwnQemu.start(guest().vhostUserBalloon(exomem.socket(VM)), folder.resolve("a"))) {
                awaitBalloon();
                qemu.guest().run("memeat fill kept " + used + " 1", LIMIT);
                for (int i = 0; i < rounds; i++) {
                    updates.add(
                            command("update-vmm", VM, "--json").path("downtime").asDouble());
                    qemu.reconnect();
                    awaitBalloon();
                }
                for (int i = 0; i < rounds; i++) {
                    Path image = folder.resolve("image" + i);
                    saves.add(command("save", VM, "--to", image.toString(), "--json")
                            .path("downtime")
                            .asDouble());
                    delete(image);
                    awaitBalloon();
                }
                command(
                        "template",
                        "create",
                        VM,
                        "t",
                        "--templates",
                        folder.resolve("templates").toString(),
                        "--json");
            }
            say("  updates: " + updates + " ms, saves: " + saves + " ms");
            figures.add(Figure.of(name("cpr-transfer of QEMU: pause"), cpr, "ms"));
            figures.add(
                    Figure.of(name("update: pause"), Median.of(updates), "ms").atMost(WANTED_UPDATE_MILLIS));
            figures.add(Figure.of(name("update: pause, relative to cpr-transfer"), Median.of(updates) / cpr, "")
                    .atMost(1));
            figures.add(Figure.of(name("save, guest continues: pause"), Median.of(saves), "ms")
                    .atMost(WANTED_SAVE_MILLIS));
            Files.deleteIfExists(folder.resolve("a.ram"));
            clone(figures);
        }

        private void clone(List<Figure> figures) throws IOException {
            // The first clone checks the template.
            end(start(1));
            oneByOne("clone to running", false, figures);
            oneByOne("clone to running, prepared VMM", true, figures);
            many("clones", figures);
            oneByOne("clone with a balloon to running", false, figures, SERVE);
            oneByOne("clone with a balloon to running, prepared VMM", true, figures, SERVE);
            many("clones with balloons", figures, SERVE);
        }

        private void many(String what, List<Figure> figures, String... more) throws IOException {
            long begin = System.nanoTime();
            JsonNode all = start(clones, more);
            figures.add(Figure.of(
                    name(clones + " " + what + " to running, including the start of the command"),
                    (System.nanoTime() - begin) / 1e6,
                    "ms"));
            try {
                if (List.of(more).contains(SERVE)) {
                    for (JsonNode one : all) {
                        awaitBalloon(one.path("name").asText());
                    }
                    figures.add(Figure.of(
                            name(clones + " " + what + ": until the last guest's driver is ready"),
                            (System.nanoTime() - begin) / 1e6,
                            "ms"));
                }
                memory(what, figures);
            } finally {
                end(all);
            }
        }

        private void oneByOne(String what, boolean prepared, List<Figure> figures, String... more) throws IOException {
            boolean serve = List.of(more).contains(SERVE);
            List<Double> drivers = new ArrayList<>();
            List<Double> times = new ArrayList<>();
            List<Double> walls = new ArrayList<>();
            for (int i = 0; i < rounds; i++) {
                if (prepared) {
                    start(1, "--prepare", "1");
                }
                long begin = System.nanoTime();
                JsonNode one = start(1, more);
                walls.add((System.nanoTime() - begin) / 1e6);
                times.add(one.path(0).path("time-us").asDouble() / 1e3);
                if (serve) {
                    awaitBalloon(one.path(0).path("name").asText());
                    drivers.add((System.nanoTime() - begin) / 1e6);
                }
                end(one);
            }
            say("  " + what + ": " + times + " ms, including the command: " + walls + " ms");
            Figure time = Figure.of(name(what), Median.of(times), "ms");
            figures.add(size <= 1024 ? time.atMost(WANTED_CLONE_MILLIS) : time);
            figures.add(Figure.of(name(what + ", including the start of the command"), Median.of(walls), "ms"));
            if (serve) {
                figures.add(Figure.of(name(what + ": until its driver is ready"), Median.of(drivers), "ms"));
            }
        }

        private void memory(String what, List<Figure> figures) throws IOException {
            JsonNode template = command(
                            "template",
                            "list",
                            "--templates",
                            folder.resolve("templates").toString(),
                            "--json")
                    .path(0);
            double data = template.path("data").asDouble();
            double own = 0;
            for (JsonNode one : template.path("clones")) {
                own += one.path("own").asDouble();
            }
            double each = own / template.path("clones").size();
            double shmem = sharedMemory(folder);
            figures.add(Figure.of(name(what + ": private memory of each"), each / MIB, "MiB"));
            figures.add(Figure.of(name(what + ": the template's memory"), data / MIB, "MiB"));
            figures.add(Figure.of(name(what + ": memory saved by each"), (data - each) / MIB, "MiB")
                    .atLeast(WANTED_SAVED_MIB));
            figures.add(Figure.of(
                            name(what + ": guests' memory, relative to the template's and what they wrote"),
                            (shmem + own) / (data + own),
                            "")
                    .atMost(WANTED_CLONES_RATIO));
        }

        private JsonNode start(int count, String... more) throws IOException {
            List<String> words = new ArrayList<>(List.of(
                    "clone",
                    "t",
                    "--count",
                    Integer.toString(count),
                    "--templates",
                    folder.resolve("templates").toString(),
                    "--folder",
                    folder.resolve("clones").toString(),
                    "--json"));
            words.addAll(List.of(more));
            return command(words.toArray(String[]::new)).path("clones");
        }

        private void end(JsonNode started) throws IOException {
            for (JsonNode one : started) {
                Path own = folder.resolve("clones").resolve(one.path("name").asText());
                OwnQemu.of(own.resolve("a")).close();
                // The VM's name must be free before another clone takes it.
                Awaitility.await()
                        .atMost(LIMIT)
                        .until(() -> features(one.path("name").asText()) < 0);
                delete(own);
            }
        }

        private void awaitBalloon() {
            awaitBalloon(VM);
        }

        private void awaitBalloon(String vm) {
            Awaitility.await()
                    .atMost(LIMIT)
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(20))
                    .until(() -> features(vm) > 0);
        }

        /** The number of features that its driver has acknowledged; -1 if the VM is not served. */
        private int features(String vm) throws IOException {
            try (QmpClient control = exomem.control()) {
                for (JsonNode one : control.execute("query-vms")) {
                    if (one.path("name").asText().equals(vm)) {
                        return one.path("features").size();
                    }
                }
                return -1;
            }
        }

        private JsonNode command(String... words) throws IOException {
            List<String> all = new ArrayList<>(ServeProcess.launcher());
            all.addAll(List.of(words));
            if (Stream.of("save", "update-vmm").anyMatch(words[0]::equals)
                    || words[1].equals("create")
                    || all.contains(SERVE)) {
                all.addAll(List.of("--control", exomem.socket("control").toString()));
            }
            Process process = new ProcessBuilder(all)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try {
                process.getOutputStream().close();
                String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                if (process.waitFor() != 0) {
                    throw new IOException("exomem " + String.join(" ", words) + ": exit code " + process.exitValue());
                }
                return JSON.readTree(output);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            } finally {
                process.destroyForcibly();
            }
        }

        /** The time from the stop of the guest until it runs in the other QEMU. */
        private double cprTransfer() throws IOException {
            Path cpr = folder.resolve("cpr");
            Path main = folder.resolve("main");
            String[] shared = {"-machine", "aux-ram-share=on"};
            try (OwnQemu before = OwnQemu.start(
                            guest().listeningQmp(folder.resolve("x.qmp")).arguments(shared), folder.resolve("x"));
                    QmpClient source = QmpClient.connect(folder.resolve("x.qmp"))) {
                before.guest().run("memeat fill kept " + used + " 1", LIMIT);
                ProcessHandle waiting = startWaiting(cpr, main, shared);
                try {
                    source.execute("migrate-set-parameters", Map.of("mode", "cpr-transfer"));
                    Awaitility.await().atMost(LIMIT).until(() -> Files.exists(cpr));
                    long begin = System.nanoTime();
                    source.execute("migrate", Map.of("channels", List.of(channel("main", main), channel("cpr", cpr))));
                    Awaitility.await()
                            .atMost(LIMIT)
                            .pollDelay(Duration.ZERO)
                            .pollInterval(Duration.ofMillis(1))
                            .until(() -> Files.exists(folder.resolve("y.qmp")) && runs(folder.resolve("y.qmp")));
                    Instant running = Instant.now();
                    double all = (System.nanoTime() - begin) / 1e6;
                    double told =
                            source.execute("query-migrate").path("downtime").asDouble();
                    double paused =
                            Duration.between(source.awaitEvent("STOP", LIMIT).time(), running)
                                            .toNanos()
                                    / 1e6;
                    say("  cpr-transfer: " + all + " ms in total, pause " + paused + " ms, of which QEMU reports "
                            + told + " ms");
                    return paused;
                } finally {
                    waiting.destroyForcibly();
                    Files.deleteIfExists(folder.resolve("a.ram"));
                }
            }
        }

        private boolean runs(Path socket) throws IOException {
            try (QmpClient qmp = QmpClient.connect(socket)) {
                return qmp.execute("query-status").path("running").asBoolean();
            }
        }

        private static Map<String, Object> channel(String type, Path socket) {
            return Map.of(
                    "channel-type",
                    type,
                    "addr",
                    Map.of("transport", "socket", "type", "unix", "path", socket.toString()));
        }

        private ProcessHandle startWaiting(Path cpr, Path main, String... shared) throws IOException {
            List<String> words = new ArrayList<>(guest().listeningQmp(folder.resolve("y.qmp"))
                    .arguments(shared)
                    .arguments(
                            "-incoming",
                            "unix:" + main,
                            "-incoming",
                            "{\"channel-type\":\"cpr\",\"addr\":{\"transport\":\"socket\",\"type\":\"unix\",\"path\":\""
                                    + cpr + "\"}}")
                    .listeningWords(folder.resolve("y")));
            words.remove("-daemonize");
            return new ProcessBuilder(words)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("y.output").toFile())
                    .start()
                    .toHandle();
        }
    }

    /** The memory that the files of a folder occupy. */
    private static double sharedMemory(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            double bytes = 0;
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                bytes += org.exomem.linux.FileStatus.of(file).allocatedBytes();
            }
            return bytes;
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
