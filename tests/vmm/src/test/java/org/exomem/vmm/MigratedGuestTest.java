package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.exomem.conformance.guest.MemoryFolder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A Linux guest moves from one QEMU to another: its memory by exomem, the rest by QEMU, its balloon out and in again. */
@RealGuest
final class MigratedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 2048 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private MemoryFolder folder;

    @BeforeEach
    void makeFolder() throws IOException {
        folder = MemoryFolder.make(Path.of("/dev/shm"));
    }

    @AfterEach
    void removeFolder() throws IOException {
        folder.close();
    }

    private QemuCommand guest(String name) {
        return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(RAM)
                .ramFile(folder.path().resolve(name + ".ram"))
                .listeningQmp(folder.path().resolve(name + ".qmp"))
                .driver("virtio_balloon");
    }

    private BackEnd backEnd(String name) throws IOException {
        return BackEnd.start("vm,vmm-qmp=" + folder.path().resolve(name + ".qmp"));
    }

    @Test
    void guestRunsOnWithItsMemoryAndItsBalloonAtTheOtherQemu() throws IOException {
        try (BackEnd here = backEnd("a");
                BackEnd there = backEnd("b");
                Qemu source = Qemu.start(guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu destination = Qemu.start(guest("b").incoming())) {
            await().atMost(LIMIT).until(() -> here.balloon("vm").features().contains("free-page-hint"));
            source.guest().run("memeat fill kept 100 1");
            source.guest().run("memeat fill gone 300 2");
            source.guest().run("memeat free gone");
            String checksum = source.guest().run("memeat verify kept");

            String address = "unix:" + folder.path().resolve("stream");
            there.control().execute("migrate-incoming", Map.of("vm", "vm", "uri", address));
            here.control().execute("migrate", Map.of("vm", "vm", "uri", address));
            JsonNode left = awaitEnd(here);
            JsonNode arrived = awaitEnd(there);
            assertThat(left.path("status").asText()).as(left.toString()).isEqualTo("completed");
            assertThat(arrived.path("status").asText()).as(arrived.toString()).isEqualTo("completed");

            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertThat(destination.guest().run("memeat fill more 200 3 && memeat verify more"))
                    .contains("ok ");
            await().atMost(LIMIT).until(() -> there.balloon("vm").features().contains("free-page-hint"));
            there.balloon("vm").resize(RAM - 256 * MIB);
            await().atMost(LIMIT).until(() -> there.balloon("vm").actual() == RAM - 256 * MIB);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
        }
    }

    private static JsonNode awaitEnd(BackEnd backEnd) {
        JsonNode[] last = new JsonNode[1];
        await().atMost(LIMIT).until(() -> {
            last[0] = backEnd.control().execute("query-migrate", Map.of("vm", "vm"));
            return switch (last[0].path("status").asText()) {
                case "completed", "failed", "cancelled" -> true;
                default -> false;
            };
        });
        return last[0];
    }
}
