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
 * The environment of a test whose guests move from QEMU to QEMU: a folder in memory for their RAM files and sockets,
 * which have the names of the guests.
 */
final class MovingGuests implements BeforeEachCallback, AfterEachCallback {
    private final long ram;
    private @Nullable MemoryFolder folder;

    /** @param ram the default memory of each guest, in bytes */
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

    /** A file in the folder. */
    Path file(String name) {
        return Objects.requireNonNull(folder).path().resolve(name);
    }

    /** The QMP socket of that guest's QEMU. */
    Path qmp(String name) {
        return file(name + ".qmp");
    }

    /** A guest with Linux's driver for its balloon. */
    QemuCommand guest(String name) {
        return guest(name, "virtio_balloon");
    }

    /** A guest with this driver for its balloon. */
    QemuCommand guest(String name, String driver) {
        return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(ram)
                .ramFile(file(name + ".ram"))
                .listeningQmp(qmp(name))
                .driver(driver);
    }

    /** A back-end for that guest, with the VM name {@code vm}. */
    BackEnd backEnd(String name) throws IOException {
        return BackEnd.start("vm,vmm-qmp=" + qmp(name));
    }

    /** Starts to move {@code vm} from one back-end to another. {@link MigrationOutcome} shows the progress. */
    void begin(BackEnd here, BackEnd there, Map<String, Object> options) throws IOException {
        Map<String, Object> where = Map.of("vm", "vm", "uri", "unix:" + file("stream"));
        there.control().execute("migrate-incoming", where);
        Map<String, Object> wish = new HashMap<>(options);
        wish.putAll(where);
        here.control().execute("migrate", wish);
    }

    /** Checks that QEMU runs as if nothing had ever been attached to it. */
    static void assertNothingLeftIn(Qemu qemu) throws IOException {
        assertThat(OpenFiles.of((int) qemu.pid()).names().values()).doesNotContain("anon_inode:[userfaultfd]");
        ProcessStatus status = ProcessStatus.of((int) qemu.pid());
        assertThat(status.tracer()).isZero();
        assertThat(status.isStopped()).isFalse();
    }
}
