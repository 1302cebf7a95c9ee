package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.linux.process.OpenFiles;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The conclusions from a VMM's list of block nodes, and from its open files. */
@Timeout(60)
@Tag("MIG-WATCH-2")
class DirectWritesTest {
    private static final OpenFiles NOTHING = new OpenFiles(Map.of());
    private static final String BLOCK_NODES = "query-named-block-nodes";

    @TempDir
    Path folder;

    private ScriptedVmm vmm;
    private QmpSession qmp;

    @BeforeEach
    void connect() throws IOException {
        Path socket = folder.resolve("qmp");
        vmm = new ScriptedVmm(socket);
        qmp = QmpSession.connect(socket);
    }

    @AfterEach
    void close() throws IOException {
        qmp.close();
        vmm.close();
    }

    private DirectWrites found(String nodes) throws IOException {
        vmm.answer(BLOCK_NODES, nodes);
        return DirectWrites.of(qmp, Set.of(BLOCK_NODES), NOTHING);
    }

    private static String node(String driver, boolean direct) {
        return "{'node-name': 'n', 'drv': '" + driver + "', 'cache': {'direct': " + direct + ", 'writeback': true}}";
    }

    @Test
    void vmmWithoutBlockNodesWritesNothingDirectly() throws IOException {
        assertThat(found("[]")).isEqualTo(new DirectWrites(false, Optional.empty()));
        assertThat(DirectWrites.of(qmp, Set.of(), NOTHING)).isEqualTo(new DirectWrites(false, Optional.empty()));
    }

    @Test
    void oneNodeOfManyThatBypassesThePageCacheCounts() throws IOException {
        assertThat(found("[" + node("raw", false) + "]").early()).isFalse();
        assertThat(found("[" + node("raw", false) + "," + node("file", true) + "," + node("raw", false) + "]"))
                .isEqualTo(new DirectWrites(true, Optional.empty()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nvme",
                "io_uring",
                "nvme-io_uring",
                "virtio-blk-vfio-pci",
                "virtio-blk-vhost-user",
                "virtio-blk-vhost-vdpa"
            })
    void driverThatKeepsMemoryPinnedIsRefusedByName(String driver) throws IOException {
        DirectWrites found =
                found("[" + node("raw", true) + "," + node(driver, true) + "," + node("file", false) + "]");
        assertThatThrownBy(found::refusePins).hasMessageContaining("a block node with the driver " + driver + ",");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/dev/vfio/vfio",
                "/dev/vfio/devices/vfio0",
                "/dev/iommu",
                "/dev/vhost-vdpa-0",
                "/dev/infiniband/uverbs0",
                "/dev/vhost-scsi"
            })
    void deviceByWhichMemoryIsPinnedForLongIsRefusedByItsPath(String path) throws IOException {
        OpenFiles open = new OpenFiles(Map.of(0, "/dev/null", 12, "/dev/vhost-net", 13, path));
        assertThatThrownBy(DirectWrites.of(qmp, Set.of(), open)::refusePins)
                .hasMessage(
                        "the VMM has " + path + " open, through which its memory may be written without being tracked");
    }

    @Test
    void otherDevicesAreNotRefused() throws IOException {
        OpenFiles open = new OpenFiles(
                Map.of(3, "/dev/kvm", 4, "/dev/vhost-net", 5, "/dev/net/tun", 6, "anon_inode:[io_uring]"));
        assertThatCode(DirectWrites.of(qmp, Set.of(), open)::refusePins).doesNotThrowAnyException();
    }

    /** Also with aio=io_uring, which QEMU uses without registered buffers. */
    @ParameterizedTest
    @ValueSource(strings = {"file", "host_device", "qcow2", "raw", "nbd"})
    void otherDriversAreNotRefused(String driver) throws IOException {
        assertThatCode(found("[" + node(driver, true) + "]")::refusePins).doesNotThrowAnyException();
    }
}
