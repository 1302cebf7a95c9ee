package org.exomem.backend.top;

import java.util.ArrayList;
import java.util.List;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;

/** The lines of a picture, appended from left to right and from top to bottom. */
final class Lines {
    private final List<AttributedString> done = new ArrayList<>();
    private AttributedStringBuilder line = new AttributedStringBuilder();

    Lines add(String text, AttributedStyle style) {
        line.styled(style, text);
        return this;
    }

    Lines add(String text) {
        return add(text, AttributedStyle.DEFAULT);
    }

    /** Appends text, right-aligned in this number of columns. */
    Lines right(String text, int width, AttributedStyle style) {
        return add(" ".repeat(Math.max(0, width - text.length())) + text, style);
    }

    /** Appends text, left-aligned in this number of columns; longer text is cut. */
    Lines left(String text, int width, AttributedStyle style) {
        String cut = text.length() > width ? text.substring(0, Math.max(0, width - 1)) + "…" : text;
        return add(cut + " ".repeat(Math.max(0, width - cut.length())), style);
    }

    /** Appends a bar of this number of columns. */
    Lines bar(double share, int width, AttributedStyle full, AttributedStyle empty) {
        int filled = (int) Math.round(Math.clamp(share, 0.0, 1.0) * width);
        return add("█".repeat(filled), full).add("░".repeat(width - filled), empty);
    }

    Lines end() {
        done.add(line.toAttributedString());
        line = new AttributedStringBuilder();
        return this;
    }

    int count() {
        return done.size();
    }

    /** The lines, each cut to this number of columns. */
    List<AttributedString> all(int columns) {
        return done.stream().map(text -> text.columnSubSequence(0, columns)).toList();
    }
}
