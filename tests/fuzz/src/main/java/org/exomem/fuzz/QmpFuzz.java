package org.exomem.fuzz;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.backend.qmp.JsonFrames;
import org.exomem.backend.qmp.JsonFrames.Frame;

/**
 * The readers of QMP: the control socket's clients, and the VMM's replies and events. The first byte of an input
 * determines how the rest is split into pieces.
 *
 * <p>Properties: the values that are read from a stream do not depend on its pieces. A value is either JSON, and is the
 * same after it is written and read again, in one line of ASCII or more; or it is refused with a reason.
 */
public final class QmpFuzz {
    /** Small, so that inputs reach it. */
    private static final int LIMIT = 512;

    private QmpFuzz() {}

    public static void fuzzerTestOneInput(byte[] bytes) {
        Input input = new Input(bytes);
        int piece = 1 + input.below(64);
        byte[] stream = input.rest();
        List<Frame> atOnce = frames(stream, Math.max(1, stream.length));
        List<Frame> inPieces = frames(stream, piece);
        if (!atOnce.equals(inPieces)) {
            throw new BrokenRule("in pieces of " + piece + " the stream says " + inPieces + " and not " + atOnce);
        }
        for (int i = 0; i < atOnce.size(); i++) {
            switch (atOnce.get(i)) {
                case Frame.Value(String json) -> value(json);
                case Frame.Garbage(String what) -> BrokenRule.unless(!what.isBlank(), "no reason is given");
                case Frame.TooLong(int limit) -> {
                    BrokenRule.unlessEqual(limit, LIMIT, "the limit");
                    BrokenRule.unless(i == atOnce.size() - 1, "something follows a value that is too long");
                }
            }
        }
    }

    private static List<Frame> frames(byte[] stream, int piece) {
        JsonFrames frames = new JsonFrames(LIMIT);
        List<Frame> found = new ArrayList<>();
        for (int at = 0; at < stream.length; at += piece) {
            ByteBuffer part = ByteBuffer.wrap(stream, at, Math.min(piece, stream.length - at));
            frames.feed(part, found::add);
            BrokenRule.unless(!part.hasRemaining(), "a part of the stream was not taken");
        }
        return found;
    }

    private static void value(String json) {
        char end = json.charAt(json.length() - 1);
        BrokenRule.unless(end == '}' || end == ']', "a value does not end in a bracket");
        BrokenRule.unless(json.getBytes(StandardCharsets.UTF_8).length <= LIMIT, "a value is beyond the limit");
        JsonNode value;
        try {
            value = Json.parse(json);
        } catch (JsonException e) {
            BrokenRule.unless(e.getMessage() != null && !e.getMessage().isBlank(), "a refusal gives no reason");
            return;
        }
        String text = Json.text(value);
        requireSame(value, text);
        requireSame(value, Json.pretty(value));
        BrokenRule.unless(text.indexOf('\n') < 0 && text.indexOf('\r') < 0, "a line has an end within");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            BrokenRule.unless(!Character.isISOControl(c), "what is written has a control character");
        }
        // A reader of a socket must then read it as one value.
        List<Frame> again = new ArrayList<>();
        new JsonFrames(Integer.MAX_VALUE).feed(ByteBuffer.wrap(Json.line(value)), again::add);
        BrokenRule.unless(again.equals(List.of(new Frame.Value(text))), "a line is not read as it was written");
    }

    private static void requireSame(JsonNode value, String text) {
        try {
            JsonNode again = Json.parse(text);
            if (!again.equals(value)) {
                throw new BrokenRule("written and read again, " + value + " is " + again);
            }
        } catch (JsonException e) {
            throw new BrokenRule("what was written can't be read: " + text, e);
        }
    }
}
