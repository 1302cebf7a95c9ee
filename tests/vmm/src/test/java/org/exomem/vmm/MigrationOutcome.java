package org.exomem.vmm;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;

/** A back-end's reports on the migration of its VM, called {@code vm}. */
final class MigrationOutcome {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private MigrationOutcome() {}

    /** The present status. */
    static JsonNode status(BackEnd backEnd) throws IOException {
        return backEnd.control().execute("query-migrate", Map.of("vm", "vm"));
    }

    /** Waits for the end of the migration, successful or not. */
    static JsonNode awaitEnd(BackEnd backEnd) {
        JsonNode[] last = new JsonNode[1];
        await().atMost(LIMIT).pollInterval(Duration.ofMillis(20)).until(() -> {
            last[0] = status(backEnd);
            return switch (last[0].path("status").asText()) {
                case "completed", "failed", "cancelled" -> true;
                default -> false;
            };
        });
        return last[0];
    }
}
