package org.exomem.backend.ui;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.map.PageKind;

/**
 * The cells of a map as short text. A cell has a letter for each of its kinds, with the eighths of the cell that the kind
 * takes, at least 1; a cell of one kind has the letter alone. {@code u} is used altogether, {@code u5h3} is used in five
 * eighths, {@code u8t4} is used, and half of it was sent. Equal neighbours become one: {@code h*200}.
 */
final class CellText {
    /** In the order of {@link PageKind}. */
    private static final String LETTERS = "uhfrbpo?-wt";

    private static final int PARTS = 8;

    private CellText() {}

    /** One text for each cell of an answer to {@code query-memory-map}. */
    static List<String> cells(JsonNode map) {
        long pages = map.path("cell").asLong() / map.path("page").asLong();
        long length = map.path("length").asLong() / map.path("page").asLong();
        int count = (int) ((length + pages - 1) / pages);
        List<String> cells = new ArrayList<>(count);
        for (int cell = 0; cell < count; cell++) {
            cells.add(cell(map.path("pages"), cell, Math.min(pages, length - cell * pages)));
        }
        return cells;
    }

    private static String cell(JsonNode kinds, int cell, long pages) {
        StringBuilder text = new StringBuilder();
        for (PageKind kind : PageKind.ALL) {
            long count = kinds.path(kind.word()).path(cell).asLong();
            char letter = LETTERS.charAt(kind.ordinal());
            if (count > 0) {
                text.append(letter).append(Math.max(1, count * PARTS / pages));
            }
        }
        // Only one kind, and no additional one.
        return text.length() == 2 ? text.substring(0, 1) : text.toString();
    }

    /** All cells, with equal neighbours joined. */
    static String whole(List<String> cells) {
        StringBuilder text = new StringBuilder();
        for (int from = 0; from < cells.size(); ) {
            int end = endOfRun(cells, from, cells.size());
            append(text, cells.get(from), end - from);
            from = end;
        }
        return text.toString();
    }

    /**
     * The cells that have changed: each run with the index of its first cell and a colon before it. Both lists have the same
     * length.
     */
    static String changes(List<String> before, List<String> now) {
        StringBuilder text = new StringBuilder();
        for (int from = 0; from < now.size(); from++) {
            if (!now.get(from).equals(before.get(from))) {
                int end = from + 1;
                while (end < now.size()
                        && now.get(end).equals(now.get(from))
                        && !now.get(end).equals(before.get(end))) {
                    end++;
                }
                text.append(text.isEmpty() ? "" : " ").append(from).append(':');
                text.append(now.get(from)).append(end - from > 1 ? "*" + (end - from) : "");
                from = end - 1;
            }
        }
        return text.toString();
    }

    private static int endOfRun(List<String> cells, int from, int limit) {
        int end = from + 1;
        while (end < limit && cells.get(end).equals(cells.get(from))) {
            end++;
        }
        return end;
    }

    private static void append(StringBuilder text, String cell, int count) {
        text.append(text.isEmpty() ? "" : " ").append(cell).append(count > 1 ? "*" + count : "");
    }
}
