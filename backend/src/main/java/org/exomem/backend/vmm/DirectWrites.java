package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;

/**
 * How the block devices of a VMM have guest memory written past the page tables of the VMM's process (MIG-WATCH-2).
 *
 * @param early a block node bypasses the host's page cache: the host writes pages that are pinned when the write begins
 * @param pinning the driver, if there is one, of a block node that may keep guest memory pinned from one write to the next
 */
public record DirectWrites(boolean early, Optional<String> pinning) {
    private static final String BLOCK_NODES = "query-named-block-nodes";

    /** QEMU's own NVMe driver, which uses VFIO, and those of libblkio, which map or register all of the guest's memory. */
    private static final Set<String> PINNING = Set.of(
            "nvme",
            "io_uring",
            "nvme-io_uring",
            "virtio-blk-vfio-pci",
            "virtio-blk-vhost-user",
            "virtio-blk-vhost-vdpa");

    static DirectWrites of(QmpSession qmp, Set<String> commands) throws IOException {
        boolean early = false;
        Optional<String> pinning = Optional.empty();
        if (commands.contains(BLOCK_NODES)) {
            for (JsonNode node : qmp.execute(BLOCK_NODES, Json.object().put("flat", true))) {
                early |= node.path("cache").path("direct").asBoolean();
                String driver = node.path("drv").asText();
                if (PINNING.contains(driver)) {
                    pinning = Optional.of(driver);
                }
            }
        }
        return new DirectWrites(early, pinning);
    }

    /** @throws VmmException if its writes can't be found by watching, because memory may be pinned for long */
    public void refusePins() throws VmmException {
        if (pinning.isPresent()) {
            throw new VmmException("the VMM has a block node with the driver " + pinning.get()
                    + ", by which its memory may be written without a sign");
        }
    }
}
