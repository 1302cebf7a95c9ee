package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.exomem.backend.qmp.Json;
import org.exomem.linux.process.ProcessStatus;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A Linux guest moves from a QEMU to another one on the same host, which takes the first one's place. */
@RealGuest
final class UpdatedVmmTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    @Test
    @Tag("VMM-20")
    @Tag("VMM-21")
    void guestRunsOnInANewQemuWithItsMemoryItsBalloonAndItsSockets() throws IOException {
        try (BackEnd exomem = guests.backEnd("a");
                OwnQemu qemu =
                        OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"))) {
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
            qemu.guest().run("memeat fill kept 200 1");
            String checksum = qemu.guest().run("memeat verify kept");
            long before = qemu.pid();

            JsonNode outcome = Json.parse(exomem.command("update-vmm", "vm", "--json"));
            assertThat(outcome.path("status").asText()).as(outcome.toString()).isEqualTo("completed");
            assertThat(outcome.path("direction").asText()).isEqualTo("update");

            assertThat(hasEnded(before)).isTrue();
            assertThat(qemu.pid()).isNotEqualTo(before);
            qemu.reconnect();
            assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
            exomem.balloon("vm").resize(RAM - 256 * MIB);
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").actual() == RAM - 256 * MIB);
            assertThat(exomem.command("update-vmm", "vm")).contains("runs in another VMM now");
            qemu.reconnect();
            assertThat(qemu.guest().run("memeat verify kept")).isEqualTo(checksum);
        }
    }

    /** Its present parent may not have waited for it yet. */
    private static boolean hasEnded(long pid) {
        try {
            return ProcessStatus.of((int) pid).state() == 'Z';
        } catch (IOException e) {
            return true;
        }
    }

    @Test
    @Tag("VMM-20")
    void guestRunsOnInItsQemuIfTheNewOneDoesNotStartOrHasOtherMemory() throws IOException {
        try (BackEnd exomem = guests.backEnd("a");
                OwnQemu qemu =
                        OwnQemu.start(guests.guest("a").vhostUserBalloon(exomem.socket("vm")), guests.file("a"));
                Qemu other = Qemu.start(guests.guest("b").incoming())) {
            await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
            Path broken = Files.writeString(guests.file("broken"), "#!/bin/sh\necho no such machine >&2\nexit 1\n");
            assertThat(broken.toFile().setExecutable(true)).isTrue();
            assertThatThrownBy(() -> exomem.command("update-vmm", "vm", "--vmm", broken.toString()))
                    .hasMessageContaining("the VMM " + broken + " did not start: no such machine");
            assertThatThrownBy(() -> exomem.command(
                            "update-vmm", "vm", "--to", guests.qmp("b").toString()))
                    .hasMessageContaining("the memory \"ram\" of the waiting VMM is");
            assertThat(other.isAlive()).isTrue();
            assertThat(qemu.guest().run("echo still here")).contains("still here");
            assertThat(exomem.balloon("vm").features()).contains("free-page-hint");
        }
    }
}
