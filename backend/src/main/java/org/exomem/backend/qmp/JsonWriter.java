package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Iterator;
import java.util.Map;

/** Writes JSON: in one line, or indented for people. */
final class JsonWriter {
    private final StringBuilder out = new StringBuilder();
    private final boolean indented;
    private int depth;

    JsonWriter(boolean indented) {
        this.indented = indented;
    }

    String write(JsonNode node) {
        value(node);
        return out.toString();
    }

    private void value(JsonNode node) {
        if (node.isObject()) {
            members(node.properties().iterator());
        } else if (node.isArray()) {
            elements(node.iterator());
        } else if (node.isTextual()) {
            string(node.textValue());
        } else {
            // Numbers, true, false and null are in JSON what they are in Java.
            out.append(node.asText());
        }
    }

    private void members(Iterator<Map.Entry<String, JsonNode>> members) {
        out.append('{');
        depth++;
        boolean any = members.hasNext();
        while (members.hasNext()) {
            Map.Entry<String, JsonNode> member = members.next();
            newLine();
            string(member.getKey());
            out.append(indented ? ": " : ":");
            value(member.getValue());
            comma(members.hasNext());
        }
        end('}', any);
    }

    private void elements(Iterator<JsonNode> elements) {
        out.append('[');
        depth++;
        boolean any = elements.hasNext();
        while (elements.hasNext()) {
            JsonNode element = elements.next();
            newLine();
            value(element);
            comma(elements.hasNext());
        }
        end(']', any);
    }

    private void end(char bracket, boolean any) {
        depth--;
        if (any) {
            newLine();
        }
        out.append(bracket);
    }

    private void comma(boolean more) {
        if (more) {
            out.append(',');
        }
    }

    private void newLine() {
        if (indented) {
            out.append('\n').append("  ".repeat(depth));
        }
    }

    private void string(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (isUnsafe(c)) {
                        String digits = Integer.toHexString(c);
                        out.append("\\u")
                                .append("0".repeat(4 - digits.length()))
                                .append(digits);
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    /** Control characters, which a terminal might obey, and halves of surrogate pairs, which UTF-8 can't have. */
    private static boolean isUnsafe(char c) {
        return Character.isISOControl(c) || Character.isSurrogate(c);
    }
}
