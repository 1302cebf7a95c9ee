package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Set;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;

/** Whether a VMM has block devices whose host writes guest memory past the page tables of the VMM's process (MIG-WATCH-2). */
final class DirectWrites {
    private static final String BLOCK_NODES = "query-named-block-nodes";

    private final QmpSession qmp;
    private final Set<String> commands;

    DirectWrites(QmpSession qmp, Set<String> commands) {
        this.qmp = qmp;
        this.commands = commands;
    }

    /** True if any block node bypasses the host's page cache: the host then writes pages that were pinned before. */
    boolean isDirect() throws IOException {
        if (!commands.contains(BLOCK_NODES)) {
            return false;
        }
        for (JsonNode node : qmp.execute(BLOCK_NODES, Json.object().put("flat", true))) {
            if (node.path("cache").path("direct").asBoolean()) {
                return true;
            }
        }
        return false;
    }
}
