package org.exomem.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;

/**
 * An event of a QMP server.
 *
 * @param name such as {@code BALLOON_CHANGE}
 * @param data the event's own members; empty if it has none
 * @param time of the event, from the server
 */
public record QmpEvent(String name, JsonNode data, Instant time) {

    static QmpEvent of(JsonNode message) {
        JsonNode time = message.path("timestamp");
        return new QmpEvent(
                message.path("event").asText(),
                message.path("data"),
                Instant.ofEpochSecond(
                        time.path("seconds").asLong(), time.path("microseconds").asLong() * 1000));
    }
}
