package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A guest boots with the options that {@code exomem vm command} prints, and no others of exomem. */
@RealGuest
final class RecipeGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 768 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    @Test
    void guestHasItsBalloonItsMemoryDeviceAndRamFilesThatCanBeSaved() throws IOException {
        Path files = guests.file("files");
        try (BackEnd exomem =
                BackEnd.start(List.of("vm,vmm-qmp=" + guests.qmp("a")), List.of("vm/m0,addr=4G,size=512M,block=4M"))) {
            exomem.run("ram", "create", files.toString(), "--size", "1280M");
            List<String> command =
                    List.of("vm", "command", "vm", "--ram", files.toString(), "--size", "768M", "--words");
            List<String> words = new ArrayList<>(
                    exomem.command(command.toArray(String[]::new)).lines().toList());
            QemuCommand qemuCommand = QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                    .recipe(words)
                    .kernelArgument("mem=768M")
                    .driver("virtio_balloon")
                    .driver("virtio_mem");
            try (OwnQemu qemu = OwnQemu.start(qemuCommand, guests.file("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                exomem.command("mem", "vm", "512M", "--wait");
                qemu.guest().run("memeat fill kept 700 1");
                String checksum = qemu.guest().run("memeat verify kept");
                assertThat(exomem.run("ram", "check", files.toString(), "--size", "1280M"))
                        .isNotEmpty();
                qemu.guest().run("memeat free kept");
                exomem.command("mem", "vm", "0", "--wait");
                exomem.command("balloon", "vm", "600M", "--wait");
                exomem.command("save", "vm", "--to", guests.file("image").toString());
                assertThat(checksum).contains("ok ");
                assertThat(qemu.guest().run("memeat fill kept 100 1")).isNotNull();
            }
        }
    }
}
