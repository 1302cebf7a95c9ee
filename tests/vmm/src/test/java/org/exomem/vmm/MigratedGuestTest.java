package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;
import static org.exomem.vmm.MigrationOutcome.status;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A Linux guest moves from one QEMU to another. Exomem sends its memory, QEMU the rest, and its balloon is unplugged
 * and plugged in again.
 */
@RealGuest
final class MigratedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 2048 * MIB;
    /** The capability that exomem sets only while QEMU saves its state. */
    private static final String SHARED = "x-ignore-shared";

    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    @Test
    @Tag("VMM-3")
    @Tag("VMM-5")
    @Tag("VMM-6")
    void guestRunsOnWithItsMemoryAndItsBalloonAtTheOtherQemu() throws IOException {
        try (BackEnd here = guests.backEnd("a");
                BackEnd there = guests.backEnd("b");
                Qemu source = Qemu.start(guests.guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu destination = Qemu.start(guests.guest("b").incoming())) {
            await().atMost(LIMIT).until(() -> here.balloon("vm").features().contains("free-page-hint"));
            source.guest().run("memeat fill kept 100 1");
            source.guest().run("memeat fill gone 300 2");
            source.guest().run("memeat free gone");
            String checksum = source.guest().run("memeat verify kept");

            migrationThatIsCancelledLeavesNothingBehind(here, there, source);
            migrationThatFailsAtTheEndLeavesNothingBehind(here, source);
            fileThatQemuHasNotMappedIsRefused(here, there);
            assertThat(source.guest().run("memeat verify kept")).isEqualTo(checksum);

            guests.begin(here, there, Map.of());
            JsonNode left = awaitEnd(here);
            JsonNode arrived = awaitEnd(there);
            assertThat(left.path("status").asText()).as(left.toString()).isEqualTo("completed");
            assertThat(arrived.path("status").asText()).as(arrived.toString()).isEqualTo("completed");
            assertThat(left.path("writes").path("way").asText())
                    .as(left.toString())
                    .isEqualTo("watch");

            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertThat(destination.guest().run("memeat fill more 200 3 && memeat verify more"))
                    .contains("ok ");
            await().atMost(LIMIT).until(() -> there.balloon("vm").features().contains("free-page-hint"));
            there.balloon("vm").resize(RAM - 256 * MIB);
            await().atMost(LIMIT).until(() -> there.balloon("vm").actual() == RAM - 256 * MIB);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
        }
    }

    /** The recipe of docs/qemu.md: a memory device with an id, on a root port. */
    @Test
    @Tag("VMM-4")
    @Tag("VMM-5")
    @Tag("MEM-GUARD-1")
    void guestWithAnUnpluggedMemoryDeviceMovesWithItAndIsGuardedAtBothEnds() throws IOException {
        long region = 256 * MIB;
        try (BackEnd here = backEndWithMemory("a");
                BackEnd there = backEndWithMemory("b");
                Qemu source = Qemu.start(guests.guest("a")
                        .ram(512 * MIB)
                        .driver("virtio_mem")
                        .vhostUserBalloon(here.socket("vm"))
                        .vhostUserMemory(here.socket("vm/m0"), region));
                Qemu destination = Qemu.start(
                        guests.guest("b").ram(512 * MIB).memoryPort(region).incoming())) {
            await().atMost(LIMIT).until(() -> !here.balloon("vm").features().isEmpty());
            awaitGuard(here);
            source.guest().run("memeat fill kept 64 1");
            String checksum = source.guest().run("memeat verify kept");
            guests.begin(here, there, Map.of());
            JsonNode left = awaitEnd(here);
            assertThat(left.path("status").asText()).as(left.toString()).isEqualTo("completed");
            assertThat(left.path("writes").path("way").asText())
                    .as(left.toString())
                    .isEqualTo("watch");
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            awaitGuard(there);
            there.memory("vm", "m0").resize(64 * MIB);
            await().atMost(LIMIT).until(() -> there.memory("vm", "m0").plugged() == 64 * MIB);
        }
    }

    private BackEnd backEndWithMemory(String name) throws IOException {
        String qmp = "vmm-qmp=" + guests.qmp(name);
        return BackEnd.start(
                List.of("vm," + qmp), List.of("vm/m0,addr=4G,size=256M,block=4M,violation=prevent," + qmp));
    }

    private static void awaitGuard(BackEnd backEnd) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(
                                backEnd.memory("vm", "m0").guard().path("on").asBoolean())
                        .as(backEnd.output())
                        .isTrue());
    }

    /** Before, all memory was sent and the guest paused first. */
    @ParameterizedTest
    @CsvSource({
        "'', without an id (/machine/peripheral-anon/device[0])",
        "'id=mem0', the device \"mem0\" of the VMM",
    })
    @Tag("VMM-14")
    void memoryDeviceThatCannotBeTakenOutIsRefusedBeforeTheFirstByte(String idAndBus, String why) throws IOException {
        try (BackEnd here = BackEnd.start(
                        List.of("vm,vmm-qmp=" + guests.qmp("a")), List.of("vm/m0,addr=4G,size=256M,block=4M"));
                Qemu source = Qemu.start(QemuCommand.of(GuestImage.driver())
                        .ram(256 * MIB)
                        .ramFile(guests.file("a.ram"))
                        .listeningQmp(guests.qmp("a"))
                        .vhostUserBalloon(here.socket("vm"))
                        .vhostUserMemory(here.socket("vm/m0"), 256 * MIB, idAndBus))) {
            // Nothing listens there: the request is refused before it connects.
            here.control().execute("migrate", Map.of("vm", "vm", "uri", "unix:" + guests.file("stream")));
            assertFailed(here, why);
            assertThat(status(here).path("error-desc").asText()).contains("pcie-root-port");
            assertThat(here.balloon("vm").isConnected()).isTrue();
            assertThat(source.qmp().execute("query-status").path("status").asText())
                    .isEqualTo("running");
        }
    }

    @Test
    @Tag("VMM-15")
    void waitingVmmThatHasItsDevicesAlreadyIsRefused() throws IOException {
        try (BackEnd there = guests.backEnd("b");
                Qemu destination = Qemu.start(
                        guests.guest("b").vhostUserBalloon(there.socket("vm")).incoming())) {
            String uri = "unix:" + guests.file("stream");
            assertThatThrownBy(() -> there.control().execute("migrate-incoming", Map.of("vm", "vm", "uri", uri)))
                    .hasMessageContaining("already has balloon0");
            assertThat(destination.isAlive()).isTrue();
        }
    }

    private static void assertFailed(BackEnd backEnd, String why) {
        JsonNode state = awaitEnd(backEnd);
        assertThat(state.path("status").asText()).as(state.toString()).isEqualTo("failed");
        assertThat(state.path("error-desc").asText()).contains(why);
    }

    /** The capability is again as QEMU's user had set it. */
    private void migrationThatIsCancelledLeavesNothingBehind(BackEnd here, BackEnd there, Qemu source)
            throws IOException {
        guests.begin(here, there, Map.of("max-bandwidth", 4 * MIB));
        await().atMost(LIMIT)
                .until(() -> status(here).path("ram").path("transferred").asLong() > MIB);
        here.control().execute("migrate-cancel", Map.of("vm", "vm"));
        assertThat(awaitEnd(here).path("status").asText()).isEqualTo("cancelled");
        assertFailed(there, "cancelled at the source");
        assertAsBefore(here, source, false);
    }

    /** A QEMU of another machine type refuses the state, after all memory was sent and the balloon unplugged. */
    private void migrationThatFailsAtTheEndLeavesNothingBehind(BackEnd here, Qemu source) throws IOException {
        leaveSharedMemoryOut(source, true);
        try (BackEnd there = guests.backEnd("c");
                Qemu another = Qemu.start(guests.guest("c").incoming().arguments("-machine", "pc-q35-9.0"))) {
            guests.begin(here, there, Map.of());
            assertFailed(here, "the destination can't prepare the guest");
            assertFailed(there, "the destination can't prepare the guest");
        }
        assertAsBefore(here, source, true);
        leaveSharedMemoryOut(source, false);
    }

    private static void leaveSharedMemoryOut(Qemu qemu, boolean state) throws IOException {
        qemu.qmp()
                .execute(
                        "migrate-set-capabilities",
                        Map.of("capabilities", List.of(Map.of("capability", SHARED, "state", state))));
    }

    private static void assertAsBefore(BackEnd here, Qemu source, boolean leavesSharedMemoryOut) throws IOException {
        for (JsonNode capability : source.qmp().execute("query-migrate-capabilities", Map.of())) {
            if (capability.path("capability").asText().equals(SHARED)) {
                assertThat(capability.path("state").asBoolean()).isEqualTo(leavesSharedMemoryOut);
            }
        }
        assertThat(source.qmp().execute("query-status", Map.of()).path("status").asText())
                .isEqualTo("running");
        await().atMost(LIMIT).until(() -> here.balloon("vm").features().contains("free-page-hint"));
        here.balloon("vm").resize(RAM - 64 * MIB);
        await().atMost(LIMIT).until(() -> here.balloon("vm").actual() == RAM - 64 * MIB);
        here.balloon("vm").resize(RAM);
        await().atMost(LIMIT).until(() -> here.balloon("vm").actual() == RAM);
    }

    /** Another file has replaced the file of that name that the waiting QEMU has mapped. */
    private void fileThatQemuHasNotMappedIsRefused(BackEnd here, BackEnd there) throws IOException {
        Path ram = guests.file("b.ram");
        Path kept = Files.createLink(guests.file("kept.ram"), ram);
        Files.delete(ram);
        try (RandomAccessFile other = new RandomAccessFile(ram.toFile(), "rw")) {
            other.setLength(RAM);
        }
        guests.begin(here, there, Map.of());
        assertFailed(here, "has mapped is not " + ram);
        there.control().execute("migrate-cancel", Map.of("vm", "vm"));
        awaitEnd(there);
        Files.move(kept, ram, StandardCopyOption.REPLACE_EXISTING);
    }
}
