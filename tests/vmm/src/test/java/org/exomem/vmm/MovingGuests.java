package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.exomem.conformance.guest.MemoryFolder;
import org.exomem.linux.process.OpenFiles;
import org.exomem.linux.process.ProcessStatus;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * What a test needs whose guests move from QEMU to QEMU: a folder in memory for their RAM files and sockets, which all go by the name of
 * a guest.
 */
final class MovingGuests implements BeforeEachCallback, AfterEachCallback {
    private final long ram;
    private @Nullable MemoryFolder folder;

    /** @param ram bytes that each guest has, if nothing else is said */
    MovingGuests(long ram) {
        this.ram = ram;
    }

    @Override
    public void beforeEach(ExtensionContext context) throws IOException {
        folder = MemoryFolder.make(Path.of("/dev/shm"));
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        if (folder != null) {
            folder.close();
        }
    }

    /** In the folder. */
    Path file(String name) {
        return Objects.requireNonNull(folder).path().resolve(name);
    }

    /** Where the QEMU of that guest listens for QMP. */
    Path qmp(String name) {
        return file(name + ".qmp");
    }

    /** One that has Linux's driver for a balloon. */
    QemuCommand guest(String name) {
        return guest(name, "virtio_balloon");
    }

    /** One that has this driver for a balloon. */
    QemuCommand guest(String name, String driver) {
        return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(ram)
                .ramFile(file(name + ".ram"))
                .listeningQmp(qmp(name))
                .driver(driver);
    }

    /** One for that guest, whose VM it calls {@code vm}. */
    BackEnd backEnd(String name) throws IOException {
        return BackEnd.start("vm,vmm-qmp=" + qmp(name));
    }

    /** Has {@code vm} leave one back-end for another; {@link MigrationOutcome} tells how it goes. */
    void begin(BackEnd here, BackEnd there, Map<String, Object> options) throws IOException {
        Map<String, Object> where = Map.of("vm", "vm", "uri", "unix:" + file("stream"));
        there.control().execute("migrate-incoming", where);
        Map<String, Object> wish = new HashMap<>(options);
        wish.putAll(where);
        here.control().execute("migrate", wish);
    }

    /** It runs on, as if it had never been attached to. */
    static void assertNothingLeftIn(Qemu qemu) throws IOException {
        assertThat(OpenFiles.of((int) qemu.pid()).names().values()).doesNotContain("anon_inode:[userfaultfd]");
        ProcessStatus status = ProcessStatus.of((int) qemu.pid());
        assertThat(status.tracer()).isZero();
        assertThat(status.isStopped()).isFalse();
    }
}
