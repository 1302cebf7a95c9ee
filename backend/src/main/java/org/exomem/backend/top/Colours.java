package org.exomem.backend.top;

import java.util.Map;
import org.exomem.backend.map.PageKind;
import org.jline.utils.AttributedStyle;

/**
 * The display of kinds of pages on a terminal: one of 256 colours, or a letter on a terminal without colours. The colours
 * can also be distinguished by people with red-green colour blindness.
 *
 * @param many whether the terminal has 256 colours
 */
record Colours(boolean many) {
    private static final Map<PageKind, Integer> OF_256 = Map.of(
            PageKind.USED, 32,
            PageKind.HINTED, 117,
            PageKind.FREE, 36,
            PageKind.REPORTED, 23,
            PageKind.BALLOON, 214,
            PageKind.UNPLUGGED, 139,
            PageKind.HOLE, 237,
            PageKind.UNSEEN, 243,
            PageKind.WRITTEN, 202,
            PageKind.TRAVELLED, 231);

    private static final Map<PageKind, Character> LETTERS = Map.ofEntries(
            Map.entry(PageKind.USED, '#'),
            Map.entry(PageKind.HINTED, 'h'),
            Map.entry(PageKind.FREE, 'f'),
            Map.entry(PageKind.REPORTED, 'r'),
            Map.entry(PageKind.BALLOON, 'B'),
            Map.entry(PageKind.UNPLUGGED, 'u'),
            Map.entry(PageKind.HOLE, '.'),
            Map.entry(PageKind.UNSEEN, '?'),
            Map.entry(PageKind.NONE, ' '),
            Map.entry(PageKind.WRITTEN, 'w'),
            Map.entry(PageKind.TRAVELLED, 't'));

    char letter(PageKind kind) {
        return LETTERS.getOrDefault(kind, ' ');
    }

    AttributedStyle foreground(AttributedStyle style, PageKind kind) {
        Integer colour = OF_256.get(kind);
        return many && colour != null ? style.foreground(colour) : style;
    }

    AttributedStyle background(AttributedStyle style, PageKind kind) {
        Integer colour = OF_256.get(kind);
        return many && colour != null ? style.background(colour) : style;
    }

    AttributedStyle dim() {
        return many ? AttributedStyle.DEFAULT.foreground(245) : AttributedStyle.DEFAULT;
    }

    AttributedStyle bad() {
        return many ? AttributedStyle.BOLD.foreground(203) : AttributedStyle.BOLD;
    }
}
