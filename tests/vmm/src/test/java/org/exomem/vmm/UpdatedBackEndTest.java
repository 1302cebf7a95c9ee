package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** exomem is replaced under a running guest: its balloon is unplugged and plugged in again, and the guest continues. */
@RealGuest
@Tag("CTL-34")
final class UpdatedBackEndTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @TempDir
    Path folder;

    @Test
    void guestKeepsItsMemoryAndGetsItsBalloonBackFromTheExomemThatIsStartedNext() throws IOException {
        Path qmp = folder.resolve("qmp");
        try (BackEnd backEnd = BackEnd.start("a,vmm-qmp=" + qmp);
                Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                        .ram(RAM)
                        .driver("virtio_balloon")
                        .listeningQmp(qmp)
                        .vhostUserBalloon(backEnd.socket("a")))) {
            qemu.guest().run("memeat fill kept 128 7");
            backEnd.balloon("a").resize(RAM - 256 * MIB);
            awaitActual(backEnd, RAM - 256 * MIB);
            assertThatThrownBy(() -> backEnd.command("quit")).hasMessageContaining("a VMM is attached: a");

            assertThat(backEnd.command("detach", "--all")).isEqualTo("a: detached balloon\n");
            assertThat(backEnd.balloon("a").isConnected()).isFalse();
            // The driver takes all pages back when its device goes.
            await().atMost(LIMIT).until(() -> qemu.guest().memory().free() > RAM - 288 * MIB);
            // Nothing is left to detach.
            assertThat(backEnd.command("detach", "--all", "--quit")).isEmpty();
            backEnd.restart();
            assertThat(backEnd.balloon("a").isConnected()).isFalse();

            assertThat(backEnd.command("attach", "--all")).isEqualTo("a: attached balloon\n");
            awaitActual(backEnd, RAM - 256 * MIB);
            assertThat(backEnd.balloon("a").ballooned()).isEqualTo(256 * MIB);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            assertThat(Files.exists(Path.of(backEnd.socket("a") + ".detached"))).isFalse();
            assertThat(qemu.isAlive()).as(qemu.output()).isTrue();
        }
    }

    private static void awaitActual(BackEnd backEnd, long bytes) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(backEnd.balloon("a").actual())
                        .as(backEnd.output())
                        .isEqualTo(bytes));
    }
}
