package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.backend.qmp.Json;
import org.exomem.images.ram.RamFileName;
import org.exomem.linux.FileStatus;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A Linux guest becomes a template, and clones continue from it. */
@RealGuest
final class ClonedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    @Test
    @Tag("IMG-CLONE-1")
    @Tag("IMG-CLONE-2")
    @Tag("IMG-CLONE-3")
    @Tag("IMG-CLONE-4")
    void clonesRunOnFromTheTemplateAndShareWhatTheyDoNotWrite() throws IOException {
        String templates = guests.file("templates").toString();
        Path keys = guests.file("keys");
        try (BackEnd exomem = guests.backEnd("a")) {
            exomem.run("template", "key", keys.toString());
            String checksum;
            try (OwnQemu qemu =
                    OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                qemu.guest().run("memeat fill kept 200 1");
                checksum = qemu.guest().run("memeat verify kept");
                exomem.command(
                        "template",
                        "create",
                        "vm",
                        "golden",
                        "--templates",
                        templates,
                        "--key",
                        keys.resolve("template-key.pem").toString());
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
            }
            List<String> clone = List.of(
                    "clone",
                    "golden",
                    "--templates",
                    templates,
                    "--folder",
                    guests.file("clones").toString(),
                    "--trust",
                    keys.resolve("template-key.pub").toString());
            List<OwnQemu> running = new ArrayList<>();
            try {
                JsonNode started = Json.parse(exomem.run(with(clone, "--count", "3", "--json")));
                for (JsonNode one : started.path("clones")) {
                    assertThat(one.has("fault")).as(one.toString()).isFalse();
                    running.add(
                            OwnQemu.of(guests.file("clones/" + one.path("name").asText() + "/a")));
                }
                assertThat(running).hasSize(3);
                for (OwnQemu one : running) {
                    assertThat(one.guest().run("memeat verify kept")).isEqualTo(checksum);
                }
                // One clone writes. The others and later clones don't see that.
                running.getFirst().guest().run("memeat free kept");
                running.getFirst().guest().run("memeat fill own 100 7");
                assertThat(running.get(1).guest().run("memeat verify kept")).isEqualTo(checksum);
                assertThat(running.getFirst().guest().run("memeat verify own")).contains("ok ");

                JsonNode list = Json.parse(exomem.run("template", "list", "--templates", templates, "--json"));
                JsonNode clones = list.path(0).path("clones");
                assertThat(clones).hasSize(3);
                for (JsonNode one : clones) {
                    boolean wrote =
                            one.path("pid").asLong() == running.getFirst().pid();
                    assertThat(one.path("own").asLong())
                            .as(list.toString())
                            .isBetween(wrote ? 100 * MIB : MIB / 16, wrote ? 240 * MIB : 100 * MIB);
                }
                assertThatThrownBy(() -> exomem.run("template", "remove", "golden", "--templates", templates))
                        .hasMessageContaining("running clones use template");
                assertThat(exomem.run(with(clone, "--prepare", "1"))).contains("golden-4", "waiting");
                assertThat(exomem.run(with(clone))).contains("golden-4");
                running.add(OwnQemu.of(guests.file("clones/golden-4/a")));
                assertThat(running.getLast().guest().run("memeat verify kept")).isEqualTo(checksum);
                cloneOfACloneHasWhatThatWrote(exomem, running.getFirst(), templates);
            } finally {
                for (OwnQemu one : running) {
                    one.close();
                }
            }
            templateThatWasChangedIsRefused(exomem, clone);
            exomem.run("template", "remove", "golden", "--templates", templates);
            assertThat(guests.file("templates")).isEmptyDirectory();
        }
    }

    @Test
    @Tag("IMG-CLONE-5")
    @Tag("IMG-CLONE-6")
    @Tag("IMG-CLONE-7")
    @Tag("IMG-CLONE-10")
    @Tag("IMG-SAVE-2")
    void cloneHasABalloonOfItsOwn() throws IOException {
        String templates = guests.file("templates").toString();
        try (BackEnd exomem = guests.backEnd("a")) {
            String checksum;
            try (OwnQemu qemu =
                    OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                qemu.guest().run("memeat fill kept 200 1");
                checksum = qemu.guest().run("memeat verify kept");
                exomem.command("template", "create", "vm", "golden", "--templates", templates);
            }
            String clones = guests.file("clones").toString();
            List<String> clone = List.of("clone", "golden", "--templates", templates, "--folder", clones, "--serve");
            assertThat(exomem.command(with(clone, "--count", "2"))).contains("golden-1", "golden-2");
            try (OwnQemu first = OwnQemu.of(guests.file("clones/golden-1/a"));
                    OwnQemu second = OwnQemu.of(guests.file("clones/golden-2/a"))) {
                for (String name : List.of("golden-1", "golden-2")) {
                    await().atMost(LIMIT)
                            .until(() -> exomem.balloon(name).features().contains("free-page-hint"));
                }
                first.guest().run("memeat fill own 100 7");
                exomem.command("balloon", "golden-1", "700M", "--wait");
                assertThat(exomem.balloon("golden-1").actual()).isEqualTo(700 * MIB);
                assertThat(exomem.balloon("golden-2").actual()).isEqualTo(RAM);
                assertThat(first.guest().run("memeat verify kept")).isEqualTo(checksum);
                assertThat(first.guest().run("memeat verify own")).contains("ok ");
                assertThat(second.guest().run("memeat verify kept")).isEqualTo(checksum);
                exomem.command("balloon", "golden-1", "1G", "--wait");
                first.guest().run("memeat fill more 300 9");
                assertThat(first.guest().run("memeat verify more")).contains("ok ");
                // Memory that it has written and then releases goes back to the host.
                long written = own(exomem, templates, first);
                first.guest().run("memeat free more");
                exomem.command("balloon", "golden-1", "500M", "--wait");
                assertThat(written).isGreaterThan(400 * MIB);
                assertThat(own(exomem, templates, first)).isLessThan(written - 250 * MIB);
                exomem.command("balloon", "golden-1", "1G", "--wait");
                // It can't get another VMM, and continues.
                assertThatThrownBy(() -> exomem.command("update-vmm", "golden-1"))
                        .hasMessageContaining("runs a clone");
                assertThat(first.guest().run("memeat verify own")).contains("ok ");
                // The pages that are shared already are found in the VMM's mappings.
                exomem.command("detach", "golden-1");
                exomem.command("attach", "golden-1");
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("golden-1").features().contains("free-page-hint"));
                exomem.command("balloon", "golden-1", "600M", "--wait");
                exomem.command("balloon", "golden-1", "1G", "--wait");
                first.guest().run("memeat fill more 300 9");
                assertThat(first.guest().run("memeat verify more")).contains("ok ");
                assertThat(first.guest().run("memeat verify kept")).isEqualTo(checksum);
                // Pages that the device has touched are in the clone's own file, and also in its images.
                exomem.command("template", "create", "golden-1", "second", "--templates", templates);
                // An image would have the same name as the clone's own file.
                Path own = guests.file("clones/golden-1");
                assertThatThrownBy(() -> exomem.command("save", "golden-1", "--to", own.toString()))
                        .hasMessageContaining("already exists");
                assertThat(ramFiles(own)).isNotEmpty();
                assertThat(first.guest().run("memeat verify own")).contains("ok ");
            }
            exomem.command("clone", "second", "--templates", templates, "--folder", clones, "--serve");
            try (OwnQemu third = OwnQemu.of(guests.file("clones/second-1/a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("second-1").features().contains("free-page-hint"));
                assertThat(third.guest().run("memeat verify own")).contains("ok ");
                assertThat(third.guest().run("memeat verify more")).contains("ok ");
            }
            // A clone whose VMM has ended is forgotten.
            await().atMost(LIMIT)
                    .until(() -> !exomem.command("vms").contains("golden-")
                            && !exomem.command("vms").contains("second-"));
            // It leaves no memory behind.
            await().atMost(LIMIT).until(() -> ramFiles(guests.file("clones")).isEmpty());
        }
    }

    private static List<Path> ramFiles(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file ->
                            RamFileName.parse(file.getFileName().toString()).isPresent())
                    .toList();
        }
    }

    @Test
    void cloneHasAMemoryDeviceOfItsOwn() throws IOException {
        String templates = guests.file("templates").toString();
        try (BackEnd exomem = BackEnd.start(
                List.of("vm,vmm-qmp=" + guests.file("a.qmp")),
                List.of("vm/m0,addr=4G,size=512M,vmm-qmp=" + guests.file("a.qmp")))) {
            String checksum;
            try (OwnQemu qemu = OwnQemu.start(
                    guests.guest("a")
                            .driver("virtio_mem")
                            .vhostUserBalloon(exomem.socket("vm"))
                            .vhostUserMemory(exomem.socket("vm-m0"), 512 * MIB),
                    guests.file("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                qemu.guest().run("memeat fill kept 100 1");
                checksum = qemu.guest().run("memeat verify kept");
                exomem.command("mem", "vm", "256M", "--wait");
                plugsMemoryAndIsNeitherSavedNorMoved(exomem, "vm", qemu);
                exomem.command("mem", "vm", "0", "--wait");
                exomem.command("template", "create", "vm", "golden", "--templates", templates);
            }
            String clones = guests.file("clones").toString();
            JsonNode started = Json.parse(exomem.command(
                    "clone", "golden", "--templates", templates, "--folder", clones, "--serve", "--json"));
            assertThat(started.path("clones").path(0).has("notes"))
                    .as(started.toString())
                    .isFalse();
            try (OwnQemu clone = OwnQemu.of(guests.file("clones/golden-1/a"))) {
                exomem.command("mem", "golden-1", "512M", "--wait");
                clone.guest().run("memeat fill more 900 9");
                assertThat(clone.guest().run("memeat verify more")).contains("ok ");
                assertThat(clone.guest().run("memeat verify kept")).isEqualTo(checksum);
                plugsMemoryAndIsNeitherSavedNorMoved(exomem, "golden-1", clone);
                clone.guest().run("memeat free more");
                exomem.command("mem", "golden-1", "0", "--wait");
                assertThat(clone.guest().run("memeat verify kept")).isEqualTo(checksum);
                assertThat(FileStatus.of(guests.file("clones/golden-1/exomem.0+60000000.ram"))
                                .allocatedBytes())
                        .isLessThan(700 * MIB);
            }
        }
    }

    /** With memory plugged in a device, which would have to be unplugged. */
    private void plugsMemoryAndIsNeitherSavedNorMoved(BackEnd exomem, String vm, OwnQemu qemu) throws IOException {
        long plugged = plugged(exomem, vm);
        assertThatThrownBy(() -> exomem.command(
                        "save", vm, "--to", guests.file("refused").toString()))
                .hasMessageContaining("plugged");
        assertThatThrownBy(() -> exomem.command("update-vmm", vm)).hasMessageMatching("(?s).*(plugged|runs a clone).*");
        assertThat(plugged(exomem, vm)).isEqualTo(plugged).isPositive();
        assertThat(guests.file("refused").resolve("manifest.json")).doesNotExist();
        assertThat(qemu.guest().run("memeat verify kept")).contains("ok ");
    }

    private static long plugged(BackEnd exomem, String vm) throws IOException {
        return Json.parse(exomem.command("mem", vm, "--json"))
                .path(0)
                .path("data")
                .path("size")
                .asLong();
    }

    /** The memory of a clone alone, in bytes. */
    private static long own(BackEnd exomem, String templates, OwnQemu clone) throws IOException {
        for (JsonNode one : Json.parse(exomem.run("template", "list", "--templates", templates, "--json"))
                .path(0)
                .path("clones")) {
            if (one.path("pid").asLong() == clone.pid()) {
                return one.path("own").asLong();
            }
        }
        throw new AssertionError("no clone runs as process " + clone.pid());
    }

    private void cloneOfACloneHasWhatThatWrote(BackEnd exomem, OwnQemu first, String templates) throws IOException {
        Path folder = guests.file("clones/golden-1");
        exomem.command(
                "add",
                "--balloon",
                "vm=golden-1,socket=" + folder.resolve("balloon") + ",vmm-qmp=" + folder.resolve("a.qmp"));
        assertThatThrownBy(() -> exomem.command("migrate", "golden-1", "--to", "unix:" + folder.resolve("stream")))
                .hasMessageContaining("runs a clone");
        exomem.command("template", "create", "golden-1", "second", "--templates", templates);
        assertThat(first.guest().run("memeat verify own")).contains("ok ");
        exomem.run(
                "clone",
                "second",
                "--templates",
                templates,
                "--folder",
                guests.file("clones").toString());
        try (OwnQemu second = OwnQemu.of(guests.file("clones/second-1/a"))) {
            assertThat(second.guest().run("memeat verify own")).contains("ok ");
        }
        exomem.run("template", "remove", "second", "--templates", templates);
    }

    private void templateThatWasChangedIsRefused(BackEnd exomem, List<String> clone) throws IOException {
        Path ram = guests.file("templates").resolve("golden").resolve("exomem.0+40000000.ram");
        Files.setPosixFilePermissions(ram, PosixFilePermissions.fromString("rw-------"));
        try (RandomAccessFile file = new RandomAccessFile(ram.toFile(), "rw")) {
            file.seek(10 * MIB + 3);
            file.write(file.read() + 1);
        }
        assertThatThrownBy(() -> exomem.run(with(clone))).hasMessageContaining("exomem.0+40000000.ram");
    }

    private static String[] with(List<String> words, String... more) {
        List<String> all = new ArrayList<>(words);
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }
}
