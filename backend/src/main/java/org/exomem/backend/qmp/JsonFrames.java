package org.exomem.backend.qmp;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * Splits a stream of bytes into JSON values, by counting brackets outside of strings. A JSON parser checks what is between
 * the brackets. A sender of anything else gets one error per line, and may go on with the next line. For one thread at a
 * time.
 */
public final class JsonFrames {
    /** A piece of the stream. */
    public sealed interface Frame {
        /** The bytes from an opening bracket to the matching closing one. */
        record Value(String json) implements Frame {}

        /** A line, or the rest of one, that can't be JSON; or a value that is not UTF-8. */
        record Garbage(String what) implements Frame {}

        /** A value larger than the limit. The rest of the stream can't be parsed. */
        record TooLong(int limit) implements Frame {}
    }

    private enum State {
        BETWEEN,
        INSIDE,
        STRING,
        ESCAPE,
        SKIP_LINE,
        ENDED
    }

    private final int limit;
    private State state = State.BETWEEN;
    private int depth;
    private byte[] value = new byte[256];
    private int size;

    /** @param limit the most bytes of a value */
    public JsonFrames(int limit) {
        this.limit = limit;
    }

    /** Consumes all bytes; {@code frames} receives the frames that they complete. */
    public void feed(ByteBuffer bytes, Consumer<Frame> frames) {
        while (bytes.hasRemaining() && state != State.ENDED) {
            take(bytes.get(), frames);
        }
        bytes.position(bytes.limit());
    }

    private void take(byte b, Consumer<Frame> frames) {
        switch (state) {
            case BETWEEN -> {
                if (b == '{' || b == '[') {
                    append(b);
                    depth = 1;
                    state = State.INSIDE;
                } else if (b != ' ' && b != '\t' && b != '\r' && b != '\n') {
                    frames.accept(new Frame.Garbage("a JSON object must start with {"));
                    state = State.SKIP_LINE;
                }
            }
            case SKIP_LINE -> {
                if (b == '\n') {
                    state = State.BETWEEN;
                }
            }
            case STRING -> {
                if (b >= 0 && b < ' ') {
                    frames.accept(new Frame.Garbage("a string has no end, or contains a control character"));
                    reset(b == '\n' ? State.BETWEEN : State.SKIP_LINE);
                    return;
                }
                append(b);
                state = b == '"' ? State.INSIDE : b == '\\' ? State.ESCAPE : State.STRING;
            }
            case ESCAPE -> {
                append(b);
                state = State.STRING;
            }
            case INSIDE -> inside(b, frames);
            case ENDED -> {}
        }
        if (size > limit) {
            frames.accept(new Frame.TooLong(limit));
            reset(State.ENDED);
        }
    }

    private void inside(byte b, Consumer<Frame> frames) {
        append(b);
        switch (b) {
            case '"' -> state = State.STRING;
            case '{', '[' -> depth++;
            case '}', ']' -> {
                depth--;
                if (depth == 0) {
                    frames.accept(text());
                    reset(State.BETWEEN);
                }
            }
            default -> {}
        }
    }

    private Frame text() {
        // Strict: a decoder that replaces bytes could turn two different byte strings into the same name.
        try {
            return new Frame.Value(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(value, 0, size))
                    .toString());
        } catch (CharacterCodingException e) {
            return new Frame.Garbage("the received text is not UTF-8");
        }
    }

    private void append(byte b) {
        if (size == value.length) {
            value = Arrays.copyOf(value, size * 2);
        }
        value[size++] = b;
    }

    private void reset(State next) {
        if (value.length > 4096) {
            value = new byte[256];
        }
        size = 0;
        depth = 0;
        state = next;
    }
}
