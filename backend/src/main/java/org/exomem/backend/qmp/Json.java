package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;

/** JSON as QMP has it: strict, in UTF-8. Safe for use by any thread. */
public final class Json {
    private Json() {}

    public static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    /**
     * Reads one JSON value, and nothing behind it.
     *
     * @throws JsonException if it is not JSON, has a name twice in an object, or more than {@value JsonReader#MAX_DEPTH}
     *     levels of objects and arrays
     */
    public static JsonNode parse(String json) throws JsonException {
        return new JsonReader(json).read();
    }

    /** One line without its end. */
    public static String text(JsonNode node) {
        return new JsonWriter(false).write(node);
    }

    /** One line, ended as QMP ends it. */
    public static byte[] line(JsonNode node) {
        return (text(node) + "\r\n").getBytes(StandardCharsets.UTF_8);
    }

    /** Several lines, indented, for people; without the end of the last. */
    public static String pretty(JsonNode node) {
        return new JsonWriter(true).write(node);
    }
}
