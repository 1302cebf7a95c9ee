package org.exomem.cli.text;

/**
 * Makes text of strangers (peers, guests, servers, names) fit to be shown to people: nothing in it that a terminal obeys, or that
 * can't be seen. Safe for use by any thread.
 */
public final class VisibleText {
    private VisibleText() {}

    /**
     * The same text in one line, with what can't be seen written as in a program: control characters, ends of lines, characters
     * that turn the direction of others, and halves of surrogate pairs. An escape character becomes {@code \\u001b}.
     */
    public static String line(String text) {
        return visible(text, false);
    }

    /** The same as {@link #line} of text that may have several lines: their ends stay. */
    public static String lines(String text) {
        return visible(text, true);
    }

    private static String visible(String text, boolean linesStay) {
        int first = firstHidden(text, linesStay);
        if (first == text.length()) {
            return text;
        }
        StringBuilder visible = new StringBuilder(text.length() + 16).append(text, 0, first);
        for (int at = first; at < text.length(); ) {
            int c = text.codePointAt(at);
            at += Character.charCount(c);
            if (!isHidden(c, linesStay)) {
                visible.appendCodePoint(c);
                continue;
            }
            switch (c) {
                case '\n' -> visible.append("\\n");
                case '\r' -> visible.append("\\r");
                case '\t' -> visible.append("\\t");
                default -> {
                    String digits = Integer.toHexString(c);
                    visible.append("\\u")
                            .append("0".repeat(Math.max(0, 4 - digits.length())))
                            .append(digits);
                }
            }
        }
        return visible.toString();
    }

    private static int firstHidden(String text, boolean linesStay) {
        int at = 0;
        while (at < text.length()) {
            int c = text.codePointAt(at);
            if (isHidden(c, linesStay)) {
                return at;
            }
            at += Character.charCount(c);
        }
        return at;
    }

    private static boolean isHidden(int c, boolean linesStay) {
        if (c < 0x7f) {
            return c < ' ' && !(linesStay && c == '\n');
        }
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SURROGATE -> true;
            default -> false;
        };
    }
}
