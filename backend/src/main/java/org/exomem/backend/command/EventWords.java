package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import org.exomem.backend.config.ByteSize;

/** An event of the control socket, for people. */
final class EventWords {
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneId.systemDefault());
    private static final int NANOS = 1000;

    private EventWords() {}

    /** The VM of an event; empty if it has none. */
    static String vm(JsonNode event) {
        JsonNode data = event.path("data");
        if (data.has("vm")) {
            return data.path("vm").asText();
        }
        // A job's id begins with the VM's name.
        String id = data.path("id").asText();
        return id.indexOf('/') < 0 ? "" : id.substring(0, id.indexOf('/'));
    }

    /** The event on one line, with the time. */
    static String of(JsonNode event) {
        JsonNode at = event.path("timestamp");
        Instant when = Instant.ofEpochSecond(
                at.path("seconds").asLong(), at.path("microseconds").asLong() * NANOS);
        JsonNode data = event.path("data");
        String device = data.path("device")
                .asText(data.path("vm").isMissingNode() ? "" : data.path("id").asText());
        return TIME.format(when) + "  " + (vm(event) + " " + device).strip() + ": " + what(event, data);
    }

    private static String what(JsonNode event, JsonNode data) {
        return switch (event.path("event").asText()) {
            case "BALLOON_CHANGE" -> "the VM has " + size(data, "actual");
            case "MEMORY_DEVICE_SIZE_CHANGE" -> size(data, "size") + " are plugged";
            case "JOB_STATUS_CHANGE" -> "the resize " + text(data, "id") + " is " + text(data, "status");
            case "GUEST_VIOLATION" -> violation(data);
            case "MIGRATION" -> "its migration is " + text(data, "status");
            case "PAGER" -> "its on-demand memory is " + text(data, "status") + because(data);
            case "DEVICE_CONNECTED" -> "a VMM attached";
            case "DEVICE_DISCONNECTED" -> "the VMM disconnected" + because(data);
            case "DEVICE_ABANDONED" -> "no VMM can attach any more";
            case "TEMPLATE_CHANGED" ->
                "its template " + text(data, "template") + " was changed while it runs" + because(data);
            case "DEVICE_ADDED" -> "is served on " + text(data, "attachment");
            case "DEVICE_REMOVED" -> "is no longer served";
            case "DEVICE_ERROR" -> "error of the " + source(data) + ": " + text(data, "message");
            default -> event.path("event").asText() + " " + data;
        };
    }

    private static String violation(JsonNode data) {
        String where = data.has("address")
                ? String.format(Locale.ROOT, " at %#x", data.path("address").asLong())
                : "";
        return "the guest uses " + size(data, "bytes") + " of unplugged memory, in "
                + data.path("blocks").asLong() + " blocks" + where + "; action: " + text(data, "action");
    }

    /** Returns what caused a fault, as a person calls it: the protocol's front-end is the VMM. */
    private static String source(JsonNode data) {
        String kind = text(data, "kind");
        return kind.equals("front-end") ? "VMM" : kind;
    }

    private static String because(JsonNode data) {
        return data.has("reason") ? ": " + text(data, "reason") : "";
    }

    private static String text(JsonNode data, String member) {
        return data.path(member).asText();
    }

    private static String size(JsonNode data, String member) {
        return ByteSize.format(data.path(member).asLong());
    }
}
