package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The tools of the real-guest tests say clearly what went wrong. */
@RealGuest
final class HarnessTest {

    private static final long RAM = 256L << 20;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @Test
    void faultsInsideTheGuestReachTheTest() throws IOException {
        try (Qemu qemu = Qemu.start(
                QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM)).ram(RAM))) {
            GuestShell guest = qemu.guest();

            assertThat(guest.tryRun("echo one; echo two >&2; exit 7", LIMIT))
                    .isEqualTo(new GuestShell.Result(7, "one\ntwo\n"));
            assertThatThrownBy(() -> guest.run("memeat verify nobody"))
                    .hasMessageContaining("/run/memeat.nobody: No such file");
            assertThatThrownBy(() -> guest.run("sleep 1", Duration.ofMillis(10)))
                    .hasMessageContaining("sleep 1: no answer in time");
            assertThat(guest.run("printf unterminated")).isEqualTo("unterminated");
            assertThat(guest.memory().total()).isBetween(RAM / 2, RAM);
            assertThat(guest.run("lsmod")).doesNotContain("virtio_balloon");
            guest.run("load virtio_balloon");
            assertThat(guest.run("lsmod")).contains("virtio_balloon");
        }
    }

    @Test
    void errorsAndEventsOfQmpReachTheTest() throws IOException {
        QemuCommand command = QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(RAM)
                .rebootable();
        try (Qemu qemu = Qemu.start(command)) {
            assertThat(qemu.qmp()
                            .greeting()
                            .path("version")
                            .path("qemu")
                            .path("major")
                            .asInt())
                    .isGreaterThanOrEqualTo(11);
            assertThatThrownBy(() -> qemu.qmp().execute("device_del", Map.of("id", "nothing")))
                    .isInstanceOfSatisfying(
                            QmpException.class, e -> assertThat(e.errorClass()).isEqualTo("DeviceNotFound"))
                    .hasMessageContaining("nothing");

            String boot =
                    qemu.guest().run("cat /proc/sys/kernel/random/boot_id").strip();
            qemu.qmp().execute("system_reset");
            assertThat(qemu.qmp()
                            .awaitEvent("RESET", LIMIT)
                            .data()
                            .path("guest")
                            .asBoolean())
                    .isFalse();
            assertThat(qemu.guest().awaitBoot(LIMIT)).isNotEqualTo(boot);

            qemu.kill();
            assertThat(qemu.isAlive()).isFalse();
            assertThatThrownBy(() -> qemu.qmp().execute("query-status")).isInstanceOf(IOException.class);
        }
    }

    @Test
    void aQemuThatCannotStartSaysWhy() {
        QemuCommand command = QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(RAM)
                .arguments("-device", "no-such-device");
        assertThatThrownBy(() -> Qemu.start(command))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("'no-such-device' is not a valid device model name");
    }
}
