package org.exomem.backend.control;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Locale;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;

/**
 * Converts messages of a {@link PageFeed} to JSON. Consecutive messages of the same kind about adjacent pages become one.
 */
final class PageRuns implements PageFeed.Listener {
    /** The type of an element. */
    static final Type TYPE = Type.object(
            Type.with(
                    "kind",
                    Type.choice(Arrays.stream(Kind.values()).map(PageRuns::word).toArray(String[]::new))),
            Type.maybe("session", Type.COUNT),
            Type.maybe("address", Type.COUNT),
            Type.maybe("length", Type.COUNT));

    private final ArrayNode runs = JsonNodeFactory.instance.arrayNode();
    private Kind kind = Kind.RESET;
    private int session;
    private long address;
    private long length;

    @Override
    public void pages(Kind next, int nextSession, long nextAddress, long nextLength) {
        if (length > 0 && nextLength > 0 && next == kind && nextSession == session) {
            if (nextAddress == address + length) {
                length += nextLength;
                return;
            }
            // Drivers take blocks from the end of a list as often as from its beginning.
            if (nextAddress + nextLength == address) {
                address = nextAddress;
                length += nextLength;
                return;
            }
        }
        addRun();
        kind = next;
        session = nextSession;
        address = nextAddress;
        length = nextLength;
        if (nextLength == 0) {
            add();
        }
    }

    private void addRun() {
        if (length > 0) {
            add().put("address", address).put("length", length);
            length = 0;
        }
    }

    private ObjectNode add() {
        ObjectNode run = runs.addObject().put("kind", word(kind));
        if (session != 0) {
            run.put("session", Integer.toUnsignedLong(session));
        }
        return run;
    }

    /** Returns all elements, in order. */
    ArrayNode end() {
        addRun();
        return runs;
    }

    private static String word(Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
