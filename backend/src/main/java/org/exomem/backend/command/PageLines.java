package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.control.Json;

/** Prints what a VM's devices learn of its pages, a line for each run of them: for people, or as JSON. */
final class PageLines {
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneId.systemDefault());

    private final PrintWriter out;
    private final boolean json;

    PageLines(PrintWriter out, boolean json) {
        this.out = out;
        this.json = json;
    }

    /** Prints an event; those that are no {@code PAGES} are about something else. */
    void print(JsonNode event) {
        if (!event.path("event").asText().equals("PAGES")) {
            return;
        }
        JsonNode timestamp = event.path("timestamp");
        JsonNode data = event.path("data");
        for (JsonNode run : data.path("pages")) {
            print(timestamp, run);
        }
        if (data.has("lost")) {
            print(
                    timestamp,
                    Json.object().put("kind", "lost").put("messages", data.path("lost").asLong()));
        }
        out.flush();
    }

    private void print(JsonNode timestamp, JsonNode run) {
        if (json) {
            ObjectNode line = Json.object();
            line.set("timestamp", timestamp);
            run.properties().forEach(member -> line.set(member.getKey(), member.getValue()));
            out.println(line);
            return;
        }
        Instant when = Instant.ofEpochSecond(
                timestamp.path("seconds").asLong(), timestamp.path("microseconds").asLong() * 1000);
        out.println(TIME.format(when) + "  " + text(run));
    }

    private static String text(JsonNode run) {
        String kind = run.path("kind").asText();
        return switch (kind) {
            case "hinting-started" -> "hint session " + run.path("session").asText() + " started";
            case "hinting-ended" -> "hint session " + run.path("session").asText() + " ended";
            case "reset" -> "the balloon was emptied by a reset";
            case "lost" -> run.path("messages").asText() + " messages lost: they came faster than they were read";
            default ->
                String.format(
                        "%-9s  %#14x  %s",
                        kind,
                        run.path("address").asLong(),
                        ByteSize.format(run.path("length").asLong()));
        };
    }
}
