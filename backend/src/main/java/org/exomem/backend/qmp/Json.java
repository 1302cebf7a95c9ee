package org.exomem.backend.qmp;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * JSON as QMP uses it: strict, in UTF-8. Safe for use by several threads.
 *
 * <p>Jackson's streaming parser and generator read and write the trees. Its object mapper does the same, but its
 * initialisation takes as long as everything else that a client command does.
 */
public final class Json {
    /** The most nested levels of arrays and objects: more would overflow the stack. */
    static final int MAX_DEPTH = 1000;

    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    /**
     * The most names, values, beginnings and ends of arrays and objects in a text of {@link #parseBounded}. Each takes about
     * 50 bytes of heap.
     */
    static final int MAX_TOKENS = 100_000;

    private static final JsonFactory FACTORY = factory(StreamReadConstraints.builder());
    private static final JsonFactory BOUNDED =
            factory(StreamReadConstraints.builder().maxTokenCount(MAX_TOKENS));

    private static JsonFactory factory(StreamReadConstraints.Builder constraints) {
        return JsonFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .streamReadConstraints(constraints.maxNestingDepth(MAX_DEPTH).build())
                .build()
                .setCharacterEscapes(new TerminalSafeEscapes());
    }

    /** The additions in Jackson's messages that are for programmers. */
    private static final String FOR_PROGRAMMERS =
            ": enable `.*| \\(start marker at .*|: maybe .*| \\(code \\d+\\)|(: was expecting)? \\(JSON String.*";

    private Json() {}

    public static ObjectNode object() {
        return NODES.objectNode();
    }

    /**
     * Parses one JSON value. Nothing may follow it.
     *
     * @throws JsonException if it is not JSON, has a name twice in an object, a number beyond the range of double, or more
     *     than {@value #MAX_DEPTH} levels of objects and arrays
     */
    public static JsonNode parse(String json) throws JsonException {
        return parse(FACTORY, json, "");
    }

    /**
     * As {@link #parse}, for a text from a sender that may try to fill the heap.
     *
     * @throws JsonException also if it has more than {@value #MAX_TOKENS} names and values
     */
    static JsonNode parseBounded(String json) throws JsonException {
        return parse(BOUNDED, json, ", or more than " + MAX_TOKENS + " names and values");
    }

    private static JsonNode parse(JsonFactory factory, String json, String orElse) throws JsonException {
        try (JsonParser parser = factory.createParser(json)) {
            JsonToken first = parser.nextToken();
            if (first == null) {
                throw new JsonException("a value is missing");
            }
            JsonNode value = value(parser, first);
            if (parser.nextToken() != null) {
                throw new JsonException("there is text after the end of the value");
            }
            return value;
        } catch (StreamConstraintsException e) {
            throw new JsonException(
                    "a number is too long, or objects and arrays have more than " + MAX_DEPTH + " levels" + orElse);
        } catch (JsonProcessingException e) {
            throw new JsonException(explain(e));
        } catch (JsonException e) {
            throw e;
        } catch (IOException e) {
            // Not possible: a string is read without I/O.
            throw new UncheckedIOException(e);
        }
    }

    private static JsonNode value(JsonParser parser, JsonToken token) throws IOException {
        return switch (token) {
            case START_OBJECT -> members(parser);
            case START_ARRAY -> elements(parser);
            case VALUE_STRING -> NODES.textNode(parser.getText());
            case VALUE_NUMBER_INT -> integer(parser);
            case VALUE_NUMBER_FLOAT -> decimal(parser);
            case VALUE_TRUE -> NODES.booleanNode(true);
            case VALUE_FALSE -> NODES.booleanNode(false);
            case VALUE_NULL -> NODES.nullNode();
            default -> throw new JsonException("a value can't begin with " + token.asString());
        };
    }

    private static ObjectNode members(JsonParser parser) throws IOException {
        ObjectNode object = NODES.objectNode();
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            object.set(name, value(parser, parser.nextToken()));
        }
        return object;
    }

    private static ArrayNode elements(JsonParser parser) throws IOException {
        ArrayNode array = NODES.arrayNode();
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            array.add(value(parser, token));
        }
        return array;
    }

    private static JsonNode integer(JsonParser parser) throws IOException {
        return switch (parser.getNumberType()) {
            case INT -> NODES.numberNode(parser.getIntValue());
            case LONG -> NODES.numberNode(parser.getLongValue());
            default -> NODES.numberNode(parser.getBigIntegerValue());
        };
    }

    private static JsonNode decimal(JsonParser parser) throws IOException {
        double value = parser.getDoubleValue();
        if (Double.isInfinite(value)) {
            throw new JsonException("the number " + parser.getText() + " is too large");
        }
        return NODES.numberNode(value);
    }

    private static String explain(JsonProcessingException e) {
        String what = e.getOriginalMessage().replaceAll(FOR_PROGRAMMERS, "");
        return what + ", at character " + Math.max(1, e.getLocation().getCharOffset() + 1);
    }

    /** One line without a line end. */
    public static String text(JsonNode node) {
        return write(node, false);
    }

    /** One line with QMP's line end, in UTF-8. */
    public static byte[] line(JsonNode node) {
        return (text(node) + "\r\n").getBytes(StandardCharsets.UTF_8);
    }

    /** Several indented lines for people; without the last line end. */
    public static String pretty(JsonNode node) {
        return write(node, true);
    }

    private static String write(JsonNode node, boolean indented) {
        StringWriter text = new StringWriter();
        try (JsonGenerator generator = FACTORY.createGenerator(text)) {
            if (indented) {
                generator.setPrettyPrinter(indenter());
            }
            write(node, generator);
        } catch (IOException e) {
            // Not possible: a string is written without I/O.
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }

    private static void write(JsonNode node, JsonGenerator generator) throws IOException {
        // No switch over types: the first one of a process generates a class, which takes longer than everything else.
        if (node instanceof ObjectNode object) {
            generator.writeStartObject();
            for (Map.Entry<String, JsonNode> member : object.properties()) {
                generator.writeFieldName(member.getKey());
                write(member.getValue(), generator);
            }
            generator.writeEndObject();
        } else if (node instanceof ArrayNode array) {
            generator.writeStartArray();
            for (JsonNode element : array) {
                write(element, generator);
            }
            generator.writeEndArray();
        } else if (node instanceof TextNode text) {
            generator.writeString(text.textValue());
        } else if (node instanceof WrittenJson written) {
            generator.writeRawValue(new String(written.bytes(), StandardCharsets.UTF_8));
        } else {
            // Numbers, true, false and null have the same text in JSON and Java.
            generator.writeRawValue(node.asText());
        }
    }

    /** A new one for each use, because it counts levels. */
    private static DefaultPrettyPrinter indenter() {
        DefaultIndenter lines = new DefaultIndenter("  ", "\n");
        DefaultPrettyPrinter printer = new DefaultPrettyPrinter(Separators.createDefaultInstance()
                .withObjectFieldValueSpacing(Separators.Spacing.AFTER)
                .withObjectEmptySeparator("")
                .withArrayEmptySeparator(""));
        printer.indentObjectsWith(lines);
        printer.indentArraysWith(lines);
        return printer;
    }
}
