package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import org.exomem.backend.qmp.Json;
import org.exomem.linux.FileStatus;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A Linux guest is saved into an image, and runs again from it in another QEMU. */
@RealGuest
final class SavedVmTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    @Test
    @Tag("IMG-SAVE-1")
    @Tag("IMG-RESTORE-1")
    @Tag("IMG-RESTORE-2")
    void guestRunsOnWhileItIsSavedAndRunsAgainFromTheImageAsItWas() throws IOException {
        Path image = guests.file("image");
        // Reports would return a part of what the guest has freed, after a time that depends on other work. The rest
        // may then
        // not be worth asking for hints.
        try (BackEnd exomem = BackEnd.start("vm,free-page-reporting=off,vmm-qmp=" + guests.qmp("a"))) {
            String outcomeText;
            String checksum;
            try (OwnQemu qemu =
                    OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                qemu.guest().run("memeat fill kept 200 1");
                // More than the memory that the guest never touched; otherwise it is not asked for hints.
                qemu.guest().run("memeat fill gone 600 2");
                qemu.guest().run("memeat free gone");
                checksum = qemu.guest().run("memeat verify kept");

                JsonNode outcome = Json.parse(exomem.command("save", "vm", "--to", image.toString(), "--json"));
                outcomeText = outcome.toString();
                assertThat(outcome.path("status").asText())
                        .as(outcome.toString())
                        .isEqualTo("completed");

                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                // The image does not contain the guest's later changes.
                qemu.guest().run("memeat fill later 100 3");
                qemu.guest().run("memeat free kept");
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                assertThatThrownBy(() -> exomem.command("restore", image.toString()))
                        .hasMessageContaining("does the VM still run?");
                assertThatThrownBy(() -> exomem.command("save", "vm", "--to", image.toString()))
                        .hasMessageContaining("holds a saved VM already");
            }
            assertThat(FileStatus.of(image.resolve("exomem.0+40000000.ram")).allocatedBytes())
                    .as(outcomeText)
                    .isBetween(200 * MIB, 480 * MIB);
            assertThatThrownBy(() -> exomem.command("restore", image.toString()))
                    .hasMessageContaining("exists already: does the VM still run?");
            Files.delete(guests.file("a.ram"));
            assertThat(exomem.command("restore", image.toString())).contains("VM \"vm\" runs");
            try (OwnQemu qemu = OwnQemu.of(guests.file("a"))) {
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                assertThat(qemu.guest().run("memeat fill more 200 4 && memeat verify more"))
                        .contains("ok ");
            }
        }
    }

    @Test
    @Tag("IMG-SAVE-3")
    @Tag("IMG-SAVE-4")
    @Tag("IMG-RESTORE-3")
    void guestOnTheImagesOwnRamFilesIsSavedAndTakenUpWithoutACopyAgainAndAgain() throws IOException {
        Path image = Files.createDirectory(guests.file("image"));
        Path ram = image.resolve("exomem.0+40000000.ram");
        try (BackEnd exomem = guests.backEnd("a")) {
            String checksum;
            try (OwnQemu qemu = OwnQemu.start(
                    guests.guest("a").ramFile(ram).vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                qemu.guest().run("memeat fill kept 200 1");
                checksum = qemu.guest().run("memeat verify kept");
                assertThatThrownBy(() -> exomem.command("save", "vm", "--to", image.toString()))
                        .hasMessageContaining("save it with --end");
                assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                saveAndEnd(exomem, image);
            }
            for (int round = 0; round < 2; round++) {
                assertThat(exomem.command("restore", image.toString(), "--take"))
                        .contains("VM \"vm\" runs");
                assertThatThrownBy(() -> exomem.command("restore", image.toString(), "--take"))
                        .hasMessageContaining("was taken");
                try (OwnQemu qemu = OwnQemu.of(guests.file("a"))) {
                    assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
                    await().atMost(LIMIT)
                            .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                    saveAndEnd(exomem, image);
                }
            }
        }
    }

    @Test
    void imageRunsForAnotherUserWhoseItIs() throws IOException {
        Path image = guests.file("image");
        String checksum;
        try (BackEnd exomem = guests.backEnd("a");
                OwnQemu qemu =
                        OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
            qemu.guest().run("memeat fill kept 100 1");
            checksum = qemu.guest().run("memeat verify kept");
            exomem.command("save", "vm", "--to", image.toString(), "--end");
        }
        Path ram = guests.file("a.ram");
        Files.deleteIfExists(ram);
        Files.setPosixFilePermissions(guests.file(""), PosixFilePermissions.fromString("rwxr-xr-x"));
        // Only the owner can read the image.
        assertThat(OtherUser.run("restore", image.toString()))
                .startsWith("1 ")
                .contains(image.toString())
                .containsIgnoringCase("denied");
        OtherUser.give(image);
        // The user may read the image, and may not create the files of the VM at their place.
        assertThat(OtherUser.run("restore", image.toString()))
                .startsWith("1 ")
                .contains(ram.toString())
                .containsIgnoringCase("denied");
        Path own = Files.createDirectory(guests.file("own"));
        OtherUser.give(own);
        assertThat(OtherUser.run("restore", image.toString(), "--replace", guests.file("a.") + "=" + own.resolve("a.")))
                .startsWith("0 ")
                .contains("VM \"vm\" runs");
        try (OwnQemu qemu = OwnQemu.of(own.resolve("a"))) {
            assertThat(Files.getAttribute(Path.of("/proc", Long.toString(qemu.pid())), "unix:uid"))
                    .isEqualTo(OtherUser.UID);
            assertThat(Files.getAttribute(own.resolve("a.ram"), "unix:uid")).isEqualTo(OtherUser.UID);
            assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
        }
    }

    @Test
    @Tag("IMG-SAVE-2")
    void saveThatIsCancelledLeavesTheGuestItsDevicesAndNoFiles() throws IOException {
        Path image = guests.file("image");
        try (BackEnd exomem = guests.backEnd("a");
                OwnQemu qemu =
                        OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
            qemu.guest().run("memeat fill kept 600 1");
            exomem.control().execute("save", Map.of("vm", "vm", "folder", image.toString(), "hints", "none"));
            exomem.control().execute("migrate-cancel", Map.of("vm", "vm"));
            JsonNode outcome = MigrationOutcome.awaitEnd(exomem);
            assertThat(outcome.path("status").asText()).as(outcome.toString()).isEqualTo("cancelled");
            assertThat(image).doesNotExist();
            assertThat(qemu.guest().run("memeat verify kept")).contains("ok ");
            assertThat(exomem.balloon("vm").features()).contains("free-page-hint");
        }
    }

    @Test
    @Tag("IMG-SAVE-2")
    void saveOntoADiskThatIsTooSmallLeavesTheGuestItsDevicesAndNoFiles() throws IOException {
        try (BackEnd exomem = guests.backEnd("a");
                MountedTmpfs small = MountedTmpfs.mount(Files.createDirectory(guests.file("small")), 64 * MIB);
                OwnQemu qemu =
                        OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
            qemu.guest().run("memeat fill kept 200 1");
            Path image = small.path().resolve("image");
            assertThatThrownBy(() -> exomem.command("save", "vm", "--to", image.toString()))
                    .hasMessageContaining("No space left on device");
            assertThat(image).doesNotExist();
            assertThat(qemu.guest().run("memeat verify kept")).contains("ok ");
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
        }
    }

    @Test
    @Tag("IMG-RESTORE-4")
    void guestThatWasPausedIsPausedAgain() throws IOException {
        Path image = guests.file("image");
        try (BackEnd exomem = guests.backEnd("a")) {
            try (OwnQemu qemu = OwnQemu.start(guests.guest("a"), guests.file("a"));
                    QmpClient qmp = QmpClient.connect(guests.qmp("a"))) {
                qemu.guest().run("memeat fill kept 20 1");
                qmp.execute("stop");
                qmp.close();
                exomem.command("save", "vm", "--to", image.toString(), "--end");
            }
            Files.delete(guests.file("a.ram"));
            assertThat(exomem.command("restore", image.toString())).contains("is paused");
            try (OwnQemu qemu = OwnQemu.of(guests.file("a"));
                    QmpClient qmp = QmpClient.connect(guests.qmp("a"))) {
                assertThat(qmp.execute("query-status").path("running").asBoolean())
                        .isFalse();
                qmp.execute("cont");
                assertThat(qemu.guest().run("memeat verify kept")).contains("ok ");
            }
        }
    }

    private static void saveAndEnd(BackEnd exomem, Path image) throws IOException {
        JsonNode outcome = Json.parse(exomem.command("save", "vm", "--to", image.toString(), "--end", "--json"));
        assertThat(outcome.path("status").asText()).as(outcome.toString()).isEqualTo("completed");
        assertThat(outcome.has("pages")).isFalse();
    }
}
