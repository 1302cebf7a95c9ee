package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** The latest events that arrived before they were asked for, within a limit. */
final class EventBacklog {
    private final int most;
    private final long mostBytes;
    private final Queue<Kept> kept = new ArrayDeque<>();
    private long bytes;

    private record Kept(JsonNode event, int bytes) {}

    /**
     * @param most events
     * @param mostBytes the approximate size of their text together
     */
    EventBacklog(int most, long mostBytes) {
        this.most = most;
        this.mostBytes = mostBytes;
    }

    /** @param size the approximate size of its text, in bytes */
    void add(JsonNode event, int size) {
        kept.add(new Kept(event, size));
        bytes += size;
        while (kept.size() > most || bytes > mostBytes) {
            poll();
        }
    }

    /** The oldest event, or null if there is none. */
    @Nullable
    JsonNode poll() {
        Kept first = kept.poll();
        if (first == null) {
            return null;
        }
        bytes -= first.bytes;
        return first.event;
    }
}
