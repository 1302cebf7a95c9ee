package org.exomem.cli.text;

/**
 * Makes text from untrusted sources (peers, guests, servers, names) safe to show to people: it replaces terminal
 * controls and invisible characters. Safe for use by any thread.
 */
public final class VisibleText {
    private VisibleText() {}

    /**
     * Returns the text as one line, with escapes as in source code for invisible characters: control characters, ends
     * of lines, characters that change the direction of others, and unpaired surrogates. An escape character becomes
     * {@code \\u001b}.
     */
    public static String line(String text) {
        return visible(text, false);
    }

    /** Like {@link #line}, but keeps the ends of lines. */
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
