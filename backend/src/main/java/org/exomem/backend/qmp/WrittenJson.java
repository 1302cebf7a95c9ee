package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.POJONode;
import java.nio.charset.StandardCharsets;

/**
 * JSON that is already encoded, so that a large answer is not encoded on a thread that others wait for. It can only be
 * written.
 */
public final class WrittenJson extends POJONode {
    private static final long serialVersionUID = 1L;

    private WrittenJson(byte[] bytes) {
        super(bytes);
    }

    /** Encodes a tree. */
    public static WrittenJson of(JsonNode node) {
        return new WrittenJson(Json.text(node).getBytes(StandardCharsets.UTF_8));
    }

    /** UTF-8, one line without a line end; must not be changed. */
    public byte[] bytes() {
        return (byte[]) getPojo();
    }
}
