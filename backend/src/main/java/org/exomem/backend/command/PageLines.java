package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.text.VisibleText;

/** Prints what a VM's devices learn of its pages, a line for each run of pages, for people or as JSON. */
final class PageLines {
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneId.systemDefault());
    /** Seconds to wait for a reader, so that a reader that has stopped does not keep the process from ending. */
    private static final long END_SECONDS = 1;

    private final PrintWriter out;
    private final boolean json;
    private final ReentrantLock printing = new ReentrantLock();

    PageLines(PrintWriter out, boolean json) {
        this.out = out;
        this.json = json;
    }

    /**
     * Prints an event, if it is an event {@code PAGES}.
     *
     * @return whether it was one
     */
    boolean print(JsonNode event) {
        if (!event.path("event").asText().equals("PAGES")) {
            return false;
        }
        printing.lock();
        try {
            printPages(event.path("timestamp"), event.path("data"));
        } finally {
            printing.unlock();
        }
        return true;
    }

    /** Writes what is buffered. Returns false if the output can't be written any more. */
    boolean areWritten() {
        return !out.checkError();
    }

    /** Ends the output, from any thread. When this returns, the present line is complete, if its reader reads. */
    @SuppressWarnings("LockNotBeforeTry") // never released
    void end() {
        try {
            boolean _ = printing.tryLock(END_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void printPages(JsonNode timestamp, JsonNode data) {
        for (JsonNode run : data.path("pages")) {
            print(timestamp, run);
        }
        if (data.has("lost")) {
            long messages = data.path("lost").asLong();
            print(timestamp, Json.object().put("kind", "lost").put("messages", messages));
        }
    }

    private void print(JsonNode timestamp, JsonNode run) {
        if (json) {
            ObjectNode line = Json.object();
            line.set("timestamp", timestamp);
            run.properties().forEach(member -> line.set(member.getKey(), member.getValue()));
            out.println(Json.text(line));
            return;
        }
        Instant when = Instant.ofEpochSecond(
                timestamp.path("seconds").asLong(),
                timestamp.path("microseconds").asLong() * 1000);
        out.println(TIME.format(when) + "  " + VisibleText.lines(text(run)));
    }

    private static String text(JsonNode run) {
        String kind = run.path("kind").asText();
        return switch (kind) {
            case "hinting-started" -> "hint session " + run.path("session").asText() + " started";
            case "hinting-ended" -> "hint session " + run.path("session").asText() + " ended";
            case "reset" -> "the balloon was reset, or its guest was lost: earlier lines about it no longer count";
            case "lost" -> run.path("messages").asText() + " messages lost: they arrived faster than they were read";
            default ->
                String.format(
                        "%-9s  %#14x  %s",
                        kind,
                        run.path("address").asLong(),
                        ByteSize.format(run.path("length").asLong()));
        };
    }
}
