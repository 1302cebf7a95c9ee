package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.exomem.backend.qmp.Json;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.OpenFiles;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A Linux guest runs from an image before its memory has arrived. */
@RealGuest
final class DemandedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final String RAM_FILE = "exomem.0+40000000.ram";
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    private BackEnd backEnd() throws IOException {
        return BackEnd.start(
                List.of("vm,vmm-qmp=" + guests.qmp("a")),
                List.of(),
                List.of("--state", guests.file("state").toString()));
    }

    /** Saves a guest that has filled some memory, and ends its VMM; returns the checksum. */
    private String saved(BackEnd exomem, Path ram, Path image) throws IOException {
        try (OwnQemu qemu =
                OwnQemu.start(guests.guest("a").ramFile(ram).vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
            qemu.guest().run("memeat fill kept 200 1");
            String checksum = qemu.guest().run("memeat verify kept");
            exomem.command("save", "vm", "--to", image.toString(), "--end");
            Files.delete(ram);
            return checksum;
        }
    }

    private static JsonNode pager(BackEnd exomem) throws IOException {
        JsonNode pagers = Json.parse(exomem.command("pagers", "--json"));
        assertThat(pagers).hasSize(1);
        return pagers.get(0);
    }

    private static void awaitStatus(BackEnd exomem, String status) {
        await().atMost(LIMIT)
                .untilAsserted(
                        () -> assertThat(pager(exomem).path("status").asText()).isEqualTo(status));
    }

    private Path pagerFile() {
        return guests.file("state").resolve("vm.pager.json");
    }

    @Test
    @Tag("PGR-BEGIN-1")
    @Tag("PGR-ALONE-2")
    @Tag("PGR-AGAIN-3")
    @Tag("CTL-38")
    @Tag("CTL-39")
    void guestRunsAtOnceWithAllOfItsMemoryAndHasItsBalloonWhenThatHasCome() throws IOException {
        Path image = guests.file("image");
        try (BackEnd exomem = backEnd()) {
            String checksum = saved(exomem, guests.file("a.ram"), image);
            JsonNode restored = Json.parse(exomem.command("restore", image.toString(), "--on-demand", "--json"));
            assertThat(restored.path("running").asBoolean()).isTrue();
            try (OwnQemu qemu = OwnQemu.of(guests.file("a"))) {
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                awaitStatus(exomem, "completed");
                JsonNode pager = pager(exomem);
                assertThat(pager.path("owed").asLong()).isZero();
                assertThat(pager.path("arrived").asLong()).isBetween(200 * MIB, 600 * MIB);
                assertThat(pager.has("reason")).as(pager.toString()).isFalse();
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                assertThat(pagerFile()).doesNotExist();
                assertThat(OpenFiles.of((int) qemu.pid()).names().values()).doesNotContain("anon_inode:[userfaultfd]");
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                // By now it is an ordinary VM.
                exomem.command("save", "vm", "--to", guests.file("again").toString());
            }
        }
    }

    @Test
    @Tag("PGR-BEGIN-2")
    @Tag("CTL-38")
    void vmmIsRefusedWhoseMemoryAnotherProcessHasOrThatDoesNotWait() throws IOException {
        Path image = guests.file("image");
        try (BackEnd exomem = backEnd()) {
            saved(exomem, guests.file("a.ram"), image);
            Map<String, Object> request = Map.of(
                    "vm",
                    "b",
                    "image",
                    image.toString(),
                    "vmm-qmp",
                    guests.qmp("b").toString());
            try (Qemu waiting = Qemu.start(guests.guest("b").incoming());
                    SharedFile file = SharedFile.open(guests.file("b.ram"))) {
                try (Mapping _ = Mapping.of(file, 0, RAM)) {
                    assertThatThrownBy(() -> exomem.control().execute("pager-start", request))
                            .hasMessageContaining("has the VM's memory mapped too");
                }
                MovingGuests.assertNothingLeftIn(waiting);
                exomem.control().execute("pager-start", request);
                await().atMost(LIMIT).until(() -> pager(exomem).path("owed").asLong() == 0);
                await().atMost(LIMIT).untilAsserted(() -> MovingGuests.assertNothingLeftIn(waiting));
            }
            // Its devices are not plugged in, because it never got its state.
            awaitStatus(exomem, "completed");
            assertThat(pager(exomem).has("reason")).isTrue();
            try (Qemu _ = Qemu.start(guests.guest("b"))) {
                assertThatThrownBy(() -> exomem.control().execute("pager-start", request))
                        .hasMessageContaining("does not wait for an incoming guest");
            }
        }
    }

    @Test
    @Tag("PGR-STALL-1")
    @Tag("PGR-AGAIN-2")
    @Tag("PGR-AGAIN-3")
    @Tag("PGR-ALONE-1")
    @Tag("PGR-IMAGE-1")
    @Tag("IMG-RESTORE-5")
    void guestWaitsWhileItsMemoryCannotComeAndGoesOnWithTheNextExomemWhenItCan() throws IOException {
        Path image = guests.file("image");
        try (BackEnd exomem = backEnd();
                MountedTmpfs small = MountedTmpfs.mount(Files.createDirectory(guests.file("small")), 700 * MIB)) {
            String checksum = saved(exomem, small.path().resolve("ram"), image);
            restoreInPart(exomem, small, image);
            try (OwnQemu qemu = OwnQemu.of(guests.file("a"))) {
                assertThat(pager(exomem).path("reason").asText()).contains("ENOMEM");
                assertThatThrownBy(() -> exomem.command(
                                "save", "vm", "--to", guests.file("other").toString()))
                        .hasMessageContaining("has memory on demand");
                assertThatThrownBy(() -> exomem.command("quit"))
                        .hasMessageContaining("memory on demand of vm has not all arrived");
                assertThatThrownBy(() -> exomem.command("restore", image.toString(), "--take"))
                        .hasMessageContaining("a process listens on");
                assertThatThrownBy(() -> exomem.command(
                                "restore",
                                image.toString(),
                                "--take",
                                "--replace",
                                guests.file("a") + "=" + guests.file("b")))
                        .hasMessageContaining("--take would use up the image");

                exomem.kill();
                assertThat(pagerFile()).exists();
                // The truncated part can't be read meanwhile.
                Path ram = image.resolve(RAM_FILE);
                Path whole = Files.move(ram, guests.file("whole"));
                exomem.restart();
                awaitStatus(exomem, "stalled");
                assertThat(pager(exomem).path("reason").asText()).contains(RAM_FILE);
                small.resize(700 * MIB);
                Files.move(whole, ram);
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                awaitStatus(exomem, "completed");
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                assertThat(pagerFile()).doesNotExist();
            }
        }
    }

    @Test
    @Tag("PGR-SOURCE-1")
    @Tag("PGR-END-2")
    void imageThatIsCutShortGivesNoZeros() throws IOException {
        Path image = guests.file("image");
        try (BackEnd exomem = backEnd();
                MountedTmpfs small = MountedTmpfs.mount(Files.createDirectory(guests.file("small")), 700 * MIB)) {
            String checksum = saved(exomem, small.path().resolve("ram"), image);
            restoreInPart(exomem, small, image);
            try (OwnQemu qemu = OwnQemu.of(guests.file("a"))) {
                Path ram = image.resolve(RAM_FILE);
                Path whole = Files.copy(ram, guests.file("whole"));
                try (FileChannel file = FileChannel.open(ram, StandardOpenOption.WRITE)) {
                    file.truncate(RAM / 8);
                }
                small.resize(700 * MIB);
                await().atMost(LIMIT)
                        .until(() -> pager(exomem).path("reason").asText().contains("EFAULT"));
                try (FileChannel from = FileChannel.open(whole, StandardOpenOption.READ);
                        FileChannel to = FileChannel.open(ram, StandardOpenOption.WRITE)) {
                    from.transferTo(0, from.size(), to);
                }
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                awaitStatus(exomem, "completed");
            }
        }
    }

    @Test
    @Tag("PGR-END-2")
    void vmmThatEndsOrCannotLoadItsStateEndsThePagerAndLeavesTheImage() throws IOException {
        Path image = guests.file("image");
        try (BackEnd exomem = backEnd();
                MountedTmpfs small = MountedTmpfs.mount(Files.createDirectory(guests.file("small")), 700 * MIB)) {
            Path ram = small.path().resolve("ram");
            String checksum = saved(exomem, ram, image);
            restoreInPart(exomem, small, image);
            OwnQemu.of(guests.file("a")).close();
            awaitStatus(exomem, "vmm-ended");
            assertThat(pagerFile()).doesNotExist();
            Files.delete(ram);

            small.resize(8192);
            assertThatThrownBy(() -> exomem.command("restore", image.toString(), "--on-demand"))
                    .hasMessageContaining("its memory can't be loaded: ")
                    .hasMessageContaining("ENOMEM");
            awaitStatus(exomem, "vmm-ended");
            assertThat(ram).doesNotExist();
            assertThat(pagerFile()).doesNotExist();

            small.resize(700 * MIB);
            exomem.command("restore", image.toString(), "--on-demand");
            try (OwnQemu qemu = OwnQemu.of(guests.file("a"))) {
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
            }
        }
    }

    @Test
    @Tag("PGR-SET-1")
    @Tag("PGR-SET-2")
    @Tag("PGR-SET-3")
    @Tag("PGR-SET-4")
    void guestThatIsStartedAgainSeldomWaitsForWhatItNeededFirstTheTimeBefore() throws IOException {
        Path image = guests.file("image");
        Path ram = guests.file("a.ram");
        try (BackEnd exomem = backEnd()) {
            String checksum;
            try (OwnQemu qemu = OwnQemu.start(guests.guest("a"), guests.file("a"))) {
                qemu.guest().run("memeat fill kept 600 1");
                checksum = qemu.guest().run("memeat verify kept");
                // The program touches pages all over the guest's memory whenever the guest runs.
                qemu.guest().run("randwrite start 32");
                exomem.command("save", "vm", "--to", image.toString(), "--end");
            }
            Files.delete(ram);
            Path set = image.resolve("working-set");
            long without = firstFaults(exomem, image, checksum);
            assertThat(set).exists();
            long once = firstFaults(exomem, image, checksum);
            long twice = firstFaults(exomem, image, checksum);
            assertThat(twice)
                    .as("faults in the first second: %s without a working set, then %s", without, once)
                    .isLessThanOrEqualTo(without / 10);
            byte[] damaged = Files.readAllBytes(set);
            damaged[60] ^= 1;
            Files.write(set, damaged);
            firstFaults(exomem, image, checksum);
            assertThat(exomem.output()).contains("is not used: it is damaged");
        }
    }

    private long firstFaults(BackEnd exomem, Path image, String checksum) throws IOException {
        exomem.command("restore", image.toString(), "--on-demand");
        try (OwnQemu qemu = OwnQemu.of(guests.file("a"))) {
            awaitStatus(exomem, "completed");
            assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
            return pager(exomem).path("first-faults").asLong();
        } finally {
            Files.deleteIfExists(guests.file("a.ram"));
        }
    }

    /** The host has memory for a part of the guest's: enough until the background begins to fill it, a second later. */
    private static void restoreInPart(BackEnd exomem, MountedTmpfs small, Path image) throws IOException {
        Files.deleteIfExists(image.resolve("working-set"));
        small.resize(100 * MIB);
        exomem.command("restore", image.toString(), "--on-demand");
        awaitStatus(exomem, "stalled");
    }
}
