package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.POJONode;
import java.nio.charset.StandardCharsets;

/** JSON that was written already: an answer that is large is not for a thread that others wait for. To be written again only. */
public final class WrittenJson extends POJONode {
    private static final long serialVersionUID = 1L;

    private WrittenJson(byte[] bytes) {
        super(bytes);
    }

    /** The same, written. */
    public static WrittenJson of(JsonNode node) {
        return new WrittenJson(Json.text(node).getBytes(StandardCharsets.UTF_8));
    }

    /** In UTF-8, on one line without its end; not to be changed. */
    public byte[] bytes() {
        return (byte[]) getPojo();
    }
}
