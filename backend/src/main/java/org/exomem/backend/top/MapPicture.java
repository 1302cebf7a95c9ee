package org.exomem.backend.top;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.map.PageKind;
import org.jline.utils.AttributedStyle;

/**
 * The map of a VM's memory: a column of the terminal for each cell, in the colour of the most frequent kind of its pages,
 * with the second most frequent in the lower half. Without colours, the letter of the most frequent kind.
 */
final class MapPicture {
    private static final int ADDRESS = 15;
    /** The fewest cells in a line. */
    private static final int LEAST = 4;

    private final Colours colours;

    MapPicture(Colours colours) {
        this.colours = colours;
    }

    /** The number of cells in a line of this width: a power of two, as the size of a cell is. */
    static int columns(int width) {
        return Integer.highestOneBit(Math.max(LEAST, width - ADDRESS));
    }

    /** @param map an answer to {@code query-memory-map} */
    void draw(Lines lines, JsonNode map, int columns) {
        long cell = map.path("cell").asLong();
        long from = map.path("from").asLong();
        long pages = cell / map.path("page").asLong();
        int count = (int) ((map.path("length").asLong() + cell - 1) / cell);
        for (int first = 0; first < count; first += columns) {
            lines.right(ByteSize.format(from + first * cell), ADDRESS - 2, colours.dim())
                    .add("  ");
            for (int i = first; i < Math.min(count, first + columns); i++) {
                cell(lines, map.path("pages"), i, pages);
            }
            lines.end();
        }
        lines.end();
        kinds(lines, map);
    }

    private void cell(Lines lines, JsonNode kinds, int cell, long pages) {
        PageKind most = PageKind.NONE;
        PageKind second = PageKind.NONE;
        long mostPages = 0;
        long secondPages = 0;
        for (PageKind kind : PageKind.ALL) {
            long count = count(kinds, kind, cell);
            if (kind == PageKind.WRITTEN || kind == PageKind.TRAVELLED) {
                continue;
            }
            if (count > mostPages) {
                second = most;
                secondPages = mostPages;
                most = kind;
                mostPages = count;
            } else if (count > secondPages) {
                second = kind;
                secondPages = count;
            }
        }
        if (!colours.many()) {
            boolean moved = count(kinds, PageKind.TRAVELLED, cell) * 2 >= pages;
            lines.add(String.valueOf(moved ? 't' : colours.letter(most)));
            return;
        }
        // A second kind is shown from an eighth of the cell on. Pages that were sent are shown in front of both.
        AttributedStyle style = colours.background(AttributedStyle.DEFAULT, most);
        if (count(kinds, PageKind.TRAVELLED, cell) * 2 >= pages) {
            lines.add("▪", colours.foreground(style, PageKind.TRAVELLED));
        } else if (count(kinds, PageKind.WRITTEN, cell) > 0) {
            lines.add("▪", colours.foreground(style, PageKind.WRITTEN));
        } else if (secondPages * 8 >= pages) {
            lines.add("▄", colours.foreground(style, second));
        } else {
            lines.add(" ", style);
        }
    }

    private static long count(JsonNode kinds, PageKind kind, int cell) {
        return kinds.path(kind.word()).path(cell).asLong();
    }

    private void kinds(Lines lines, JsonNode map) {
        int inLine = 0;
        for (PageKind kind : PageKind.ALL) {
            long pages = 0;
            for (JsonNode cell : map.path("pages").path(kind.word())) {
                pages += cell.asLong();
            }
            if (pages > 0 && kind != PageKind.NONE) {
                boolean besides = kind == PageKind.WRITTEN || kind == PageKind.TRAVELLED;
                lines.add("  ");
                if (colours.many()) {
                    lines.add(besides ? "▪▪" : "██", colours.foreground(AttributedStyle.DEFAULT, kind));
                } else {
                    lines.add(" " + colours.letter(kind));
                }
                lines.left(" " + label(kind), 18, AttributedStyle.DEFAULT)
                        .right(ByteSize.format(pages * map.path("page").asLong()), 10, AttributedStyle.DEFAULT);
                if (++inLine % 2 == 0) {
                    lines.end();
                } else {
                    lines.add("    ");
                }
            }
        }
        if (inLine % 2 != 0) {
            lines.end();
        }
    }

    private static String label(PageKind kind) {
        return switch (kind) {
            case HINTED -> "hinted free";
            case FREE -> "free by bitmap";
            case REPORTED -> "reported free";
            case BALLOON -> "in the balloon";
            case HOLE -> "no host memory";
            case UNSEEN -> "not examined yet";
            case WRITTEN -> "written recently";
            default -> kind.name().toLowerCase(Locale.ROOT);
        };
    }
}
