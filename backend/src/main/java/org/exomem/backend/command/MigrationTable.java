package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.control.FateLabels;
import org.exomem.cli.text.Table;

/** The result of a migration, for people. */
final class MigrationTable {
    private MigrationTable() {}

    static String text(JsonNode state) {
        StringBuilder text = new StringBuilder();
        String vm = state.path("vm").asText();
        text.append(
                switch (state.path("status").asText()) {
                    case "completed" ->
                        "VM \"" + vm + "\" " + done(state, state.path("peer").asText()) + ". ";
                    default ->
                        "VM \"" + vm + "\": " + state.path("status").asText() + ", "
                                + state.path("peer").asText()
                                + (state.has("error-desc")
                                        ? ": " + state.path("error-desc").asText()
                                        : "");
                });
        if (!text.toString().endsWith(" ")) {
            text.append("; ");
        }
        text.append(seconds(state.path("total-time").asLong() * 1000)).append(" in total");
        if (state.has("downtime")) {
            text.append(", paused for ").append(state.path("downtime").asLong()).append(" ms");
        }
        text.append('\n');
        JsonNode first = state.path("balloon-first");
        if (!first.isMissingNode()) {
            text.append(balloonFirst(first));
        }
        JsonNode writes = state.path("writes");
        if (!writes.isMissingNode()) {
            text.append(writes(writes));
        }
        JsonNode pages = state.path("pages");
        if (!pages.isMissingNode()) {
            text.append('\n').append(pages(pages));
        }
        JsonNode received = state.path("received");
        if (!received.isMissingNode()) {
            text.append(received.path("pages").asLong())
                    .append(" pages arrived in ")
                    .append(received.path("rounds").asLong())
                    .append(" rounds from ")
                    .append(received.path("source").asText())
                    .append('\n');
        }
        return text.toString();
    }

    private static String done(JsonNode state, String peer) {
        return switch (state.path("direction").asText()) {
            case "incoming" -> "runs here now";
            case "update" -> "runs in another VMM now";
            case "save" -> "was saved into " + peer;
            default -> "runs at " + peer + " now";
        };
    }

    private static String balloonFirst(JsonNode first) {
        long before = first.path("before").asLong();
        return first.path("target").asLong() == before
                ? "The balloon was not inflated before the migration: the guest had "
                        + ByteSize.format(first.path("available").asLong()) + " available of "
                        + ByteSize.format(before) + ", and nothing to spare\n"
                : ByteSize.format(before - first.path("after").asLong()) + " were put into the balloon before the"
                        + " migration, in "
                        + seconds(first.path("time").asLong() * 1000) + "\n";
    }

    private static String writes(JsonNode writes) {
        String how = switch (writes.path("way").asText()) {
            case "log" -> "The VMM logged the guest's writes";
            case "watch" -> "exomem watched the VMM's memory for the guest's writes";
            default -> "exomem compared all memory in each round";
        };
        return how + (writes.has("reason") ? ": " + writes.path("reason").asText() : "") + "\n";
    }

    private static String pages(JsonNode pages) {
        long size = pages.path("size").asLong();
        Table table = new Table("MEMORY", ">PAGES", ">SIZE");
        FateLabels.all().forEach((fate, words) -> {
            long count = pages.path(fate).asLong();
            if (count > 0) {
                table.add(words, Long.toString(count), ByteSize.format(count * size));
            }
        });
        long resent = pages.path("resent").asLong();
        table.add("sent again", Long.toString(resent), ByteSize.format(resent * size));
        return table + "\n" + pages.path("rounds").asLong() + " rounds, "
                + ByteSize.format(pages.path("sent-bytes").asLong()) + " of pages in "
                + seconds(pages.path("memory-time-us").asLong())
                + (pages.path("throttle").asInt() > 0
                        ? ", the guest was throttled by up to "
                                + pages.path("throttle").asInt() + " %"
                        : "")
                + (pages.path("owed").asLong() > 0
                        ? "; the guest moved before the last "
                                + ByteSize.format(pages.path("owed").asLong() * size) + " were sent"
                        : "")
                + (pages.path("in-limit").asBoolean() ? "" : "; the guest wrote too fast for the downtime limit")
                + "\n";
    }

    private static String seconds(long micros) {
        return String.format(Locale.ROOT, "%.2f s", micros / 1e6);
    }
}
