package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;

/** Whether a VMM has block devices whose host writes guest memory past the page tables of the VMM's process (MIG-WATCH-2). */
final class DirectWrites {
    private final QmpSession qmp;

    DirectWrites(QmpSession qmp) {
        this.qmp = qmp;
    }

    /** True if any block node bypasses the host's page cache: the host then writes pages that were pinned before. */
    boolean isDirect() throws IOException {
        for (JsonNode node : qmp.execute("query-named-block-nodes", Json.object().put("flat", true))) {
            if (node.path("cache").path("direct").asBoolean()) {
                return true;
            }
        }
        return false;
    }
}
