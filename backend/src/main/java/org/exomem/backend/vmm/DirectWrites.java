package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;
import org.exomem.linux.process.DirectFiles;
import org.exomem.linux.process.OpenFiles;

/**
 * The ways in which a VMM's guest memory is written past the page tables of its process (MIG-WATCH-2).
 *
 * @param early whether a block node bypasses the host's page cache: then the host writes pages that were pinned when the
 *     write began
 * @param pinning the part of the VMM, if any, that may keep guest memory pinned from one write to the next; for people
 */
public record DirectWrites(boolean early, Optional<String> pinning) {
    private static final String BLOCK_NODES = "query-named-block-nodes";

    /**
     * The drivers that map or register all of the guest's memory: QEMU's own NVMe driver, which uses VFIO, and those of
     * libblkio.
     */
    private static final Set<String> PINNING_DRIVERS = Set.of(
            "nvme",
            "io_uring",
            "nvme-io_uring",
            "virtio-blk-vfio-pci",
            "virtio-blk-vhost-user",
            "virtio-blk-vhost-vdpa");

    /** The prefixes of the device files of VFIO by groups and by iommufd, vDPA, RDMA, and the kernel's SCSI target. */
    private static final List<String> PINNING_FILES =
            List.of("/dev/vfio/", "/dev/iommu", "/dev/vhost-vdpa", "/dev/infiniband/", "/dev/vhost-scsi");

    /**
     * @param open the files that the VMM's process has open
     * @throws IOException if the VMM does not answer
     */
    static DirectWrites of(QmpSession qmp, Set<String> commands, OpenFiles open) throws IOException {
        boolean early = false;
        Optional<String> pinning = pinningFile(open).map(name -> name + " open");
        if (commands.contains(BLOCK_NODES)) {
            for (JsonNode node : qmp.execute(BLOCK_NODES, Json.object().put("flat", true))) {
                early |= node.path("cache").path("direct").asBoolean();
                String driver = node.path("drv").asText();
                if (PINNING_DRIVERS.contains(driver)) {
                    pinning = Optional.of("a block node with the driver " + driver);
                }
            }
        }
        return new DirectWrites(early, pinning);
    }

    private static Optional<String> pinningFile(OpenFiles open) {
        return open.names().values().stream()
                .filter(name -> PINNING_FILES.stream().anyMatch(name::startsWith))
                .findFirst();
    }

    /**
     * Checks whether a VMM may have such writes now. Looks only at what its process has open, and does not ask the VMM.
     *
     * @return false if it has none
     * @throws IOException if the process has ended, or may not be examined
     */
    static boolean mayBe(int pid) throws IOException {
        return DirectFiles.any(pid) || pinningFile(OpenFiles.of(pid)).isPresent();
    }

    /** @throws VmmException if watching can't find the VMM's writes, because memory may stay pinned */
    public void refusePins() throws VmmException {
        if (pinning.isPresent()) {
            throw new VmmException(
                    "the VMM has " + pinning.get() + ", through which its memory may be written without being tracked");
        }
    }
}
