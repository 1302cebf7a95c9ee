package org.exomem.backend.top;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.exomem.backend.qmp.Json;

/**
 * The visible part of guest memory. In bytes.
 *
 * @param length 0 for all memory
 */
record Zoom(long from, long length) {
    static final Zoom ALL = new Zoom(0, 0);

    private static final int STEP = 4;
    private static final long LEAST = 64L << 12;

    /** The arguments of {@code query-memory-map}. */
    ObjectNode arguments(String vm, int cells) {
        ObjectNode arguments = Json.object().put("vm", vm).put("cells", cells);
        return length == 0 ? arguments : arguments.put("from", from).put("length", length);
    }

    /** @param map the present map */
    Zoom in(JsonNode map) {
        long now = map.path("length").asLong();
        long next = Math.max(LEAST, now / STEP);
        return new Zoom(map.path("from").asLong() + (now - next) / 2, next).within(map);
    }

    Zoom out(JsonNode map) {
        long now = map.path("length").asLong();
        return new Zoom(map.path("from").asLong() - now * (STEP - 1) / 2, now * STEP).within(map);
    }

    /** @param eighths of the visible part, towards higher addresses */
    Zoom move(JsonNode map, int eighths) {
        long now = map.path("length").asLong();
        return length == 0 ? this : new Zoom(map.path("from").asLong() + now / 8 * eighths, now).within(map);
    }

    private Zoom within(JsonNode map) {
        long end = 0;
        for (JsonNode region : map.path("regions")) {
            end = Math.max(
                    end, region.path("address").asLong() + region.path("length").asLong());
        }
        if (length >= end) {
            return ALL;
        }
        return new Zoom(Math.clamp(from, 0, end - length) & -(1L << 12), length);
    }
}
