package org.exomem.demo;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.control.FateLabels;

/**
 * A finished migration.
 *
 * @param state of its source, the answer to {@code query-migrate}
 * @param verified bytes that the guest uses, and found unchanged at the destination
 */
record Moved(JsonNode state, long verified) {
    private static final String ROW = "%-40s %9s %9s";

    long sentBytes() {
        return pages().path("sent-bytes").asLong();
    }

    long millis() {
        return state.path("total-time").asLong();
    }

    String text() {
        return ByteSize.format(sentBytes()) + " in " + millis() + " ms, paused for "
                + state.path("downtime").asLong() + " ms";
    }

    String sameText() {
        return "the guest reads its " + ByteSize.format(verified) + " there unchanged";
    }

    /** A comparison of two migrations for people: what became of the guest's pages. */
    static List<String> table(String nameOfOne, Moved one, String nameOfOther, Moved other) {
        List<String> lines = new ArrayList<>();
        lines.add(row("pages", nameOfOne, nameOfOther));
        for (Map.Entry<String, String> fate : FateLabels.all().entrySet()) {
            long ofOne = one.pages().path(fate.getKey()).asLong();
            long ofOther = other.pages().path(fate.getKey()).asLong();
            if (ofOne > 0 || ofOther > 0) {
                lines.add(row(fate.getValue(), Long.toString(ofOne), Long.toString(ofOther)));
            }
        }
        lines.add(row(
                "sent again",
                one.pages().path("resent").asText(),
                other.pages().path("resent").asText()));
        return lines;
    }

    private static String row(String... cells) {
        return String.format(Locale.ROOT, ROW, (Object[]) cells);
    }

    private JsonNode pages() {
        return state.path("pages");
    }
}
