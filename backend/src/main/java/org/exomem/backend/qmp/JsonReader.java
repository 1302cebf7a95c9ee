package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;

/**
 * Reads one JSON value (RFC 8259), strictly: no key twice in an object, nothing behind the value, no more than
 * {@value #MAX_DEPTH} levels. Jackson's own parser takes as long to get ready as all else that a client command does.
 */
final class JsonReader {
    /** Levels of arrays and objects within each other: deeper ones would use up the stack. */
    static final int MAX_DEPTH = 1000;

    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final int END = -1;

    private final String text;
    private int position;
    private int depth;

    JsonReader(String text) {
        this.text = text;
    }

    /** The only value of the text. */
    JsonNode read() throws JsonException {
        JsonNode value = value();
        if (next() != END) {
            throw wrong("there is more behind the end of the value");
        }
        return value;
    }

    private JsonNode value() throws JsonException {
        int first = next();
        return switch (first) {
            case '{' -> object();
            case '[' -> array();
            case '"' -> NODES.textNode(string());
            case 't' -> literal("true", NODES.booleanNode(true));
            case 'f' -> literal("false", NODES.booleanNode(false));
            case 'n' -> literal("null", NODES.nullNode());
            default -> {
                if (first == '-' || isDigit(first)) {
                    yield number();
                }
                throw first == END ? wrong("a value is missing") : wrong("no value begins with " + shown(first));
            }
        };
    }

    private ObjectNode object() throws JsonException {
        ObjectNode object = NODES.objectNode();
        enter();
        if (next() != '}') {
            while (true) {
                if (next() != '"') {
                    throw wrong("a name in quotes is missing");
                }
                String name = string();
                expect(':');
                if (object.has(name)) {
                    throw wrong("the name \"" + name + "\" is there twice");
                }
                object.set(name, value());
                if (next() == '}') {
                    break;
                }
                expect(',');
            }
        }
        leave();
        return object;
    }

    private ArrayNode array() throws JsonException {
        ArrayNode array = NODES.arrayNode();
        enter();
        if (next() != ']') {
            while (true) {
                array.add(value());
                if (next() == ']') {
                    break;
                }
                expect(',');
            }
        }
        leave();
        return array;
    }

    private void enter() throws JsonException {
        if (++depth > MAX_DEPTH) {
            throw wrong("more than " + MAX_DEPTH + " levels of objects and arrays");
        }
        position++;
    }

    private void leave() {
        depth--;
        position++;
    }

    private String string() throws JsonException {
        int start = ++position;
        while (peek() >= ' ' && peek() != '"' && peek() != '\\') {
            position++;
        }
        if (peek() == '"') {
            return text.substring(start, position++);
        }
        StringBuilder string = new StringBuilder().append(text, start, position);
        while (peek() != '"') {
            int c = peek();
            if (c == END) {
                throw wrong("a string has no end");
            }
            if (c < ' ') {
                throw wrong("a control character in a string: " + shown(c));
            }
            position++;
            string.append(c == '\\' ? escaped() : (char) c);
        }
        position++;
        return string.toString();
    }

    private char escaped() throws JsonException {
        int c = peek();
        position++;
        return switch (c) {
            case '"', '\\', '/' -> (char) c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> unicode();
            default -> throw wrong("no escape sequence has " + shown(c) + " after the backslash");
        };
    }

    private char unicode() throws JsonException {
        int code = 0;
        for (int i = 0; i < 4; i++) {
            int digit = Character.digit(peek(), 16);
            if (digit < 0 || peek() > 'f') {
                throw wrong("\\u needs four hexadecimal digits");
            }
            code = code << 4 | digit;
            position++;
        }
        return (char) code;
    }

    private JsonNode number() throws JsonException {
        int start = position;
        if (peek() == '-') {
            position++;
        }
        if (peek() == '0') {
            position++;
        } else {
            digits();
        }
        boolean whole = true;
        if (peek() == '.') {
            whole = false;
            position++;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            whole = false;
            position++;
            if (peek() == '+' || peek() == '-') {
                position++;
            }
            digits();
        }
        String number = text.substring(start, position);
        return whole ? integer(number) : decimal(number);
    }

    private void digits() throws JsonException {
        if (!isDigit(peek())) {
            throw wrong("a digit is missing");
        }
        while (isDigit(peek())) {
            position++;
        }
    }

    private JsonNode integer(String number) throws JsonException {
        if (number.length() > MAX_DEPTH) {
            throw wrong("a number of more than " + MAX_DEPTH + " digits");
        }
        if (number.length() > 18) {
            BigInteger large = new BigInteger(number);
            return large.bitLength() < Long.SIZE ? NODES.numberNode(large.longValue()) : NODES.numberNode(large);
        }
        long value = Long.parseLong(number);
        return value == (int) value ? NODES.numberNode((int) value) : NODES.numberNode(value);
    }

    private JsonNode decimal(String number) throws JsonException {
        double value = Double.parseDouble(number);
        if (Double.isInfinite(value)) {
            throw wrong("the number " + number + " is too large");
        }
        return NODES.numberNode(value);
    }

    private JsonNode literal(String word, JsonNode value) throws JsonException {
        if (!text.startsWith(word, position)) {
            throw wrong("a value that begins with " + shown(peek()) + " can only be " + word);
        }
        position += word.length();
        return value;
    }

    private void expect(char wanted) throws JsonException {
        int found = next();
        if (found != wanted) {
            throw wrong("\"" + wanted + "\" is missing");
        }
        position++;
    }

    /** Skips space; returns the next character, which is not yet taken. */
    private int next() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
            position++;
        }
        return peek();
    }

    private int peek() {
        return position < text.length() ? text.charAt(position) : END;
    }

    private static boolean isDigit(int c) {
        return c >= '0' && c <= '9';
    }

    private static String shown(int c) {
        return c == END ? "nothing" : c >= ' ' && c < 0x7f ? "\"" + (char) c + "\"" : "U+" + hex(c);
    }

    private static String hex(int c) {
        String digits = Integer.toHexString(c);
        return "0".repeat(Math.max(0, 4 - digits.length())) + digits;
    }

    private JsonException wrong(String what) {
        return new JsonException(what + ", at character " + (position + 1));
    }
}
