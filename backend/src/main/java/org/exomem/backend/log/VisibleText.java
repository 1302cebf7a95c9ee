package org.exomem.backend.log;

/** Makes text of strangers (peers, guests, names) fit to be shown to people: one line, and nothing that a terminal obeys. */
public final class VisibleText {
    private VisibleText() {}

    /**
     * The same text, with what can't be seen written as in a program: control characters, ends of lines, characters that turn the
     * direction of others, and halves of surrogate pairs. {@code "\u001b[31m"} becomes {@code "\\u001b[31m"}. Safe for use by any
     * thread.
     */
    public static String of(String text) {
        int first = firstHidden(text);
        if (first == text.length()) {
            return text;
        }
        StringBuilder visible = new StringBuilder(text.length() + 16).append(text, 0, first);
        for (int at = first; at < text.length(); ) {
            int c = text.codePointAt(at);
            at += Character.charCount(c);
            if (!isHidden(c)) {
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

    private static int firstHidden(String text) {
        int at = 0;
        while (at < text.length()) {
            int c = text.codePointAt(at);
            if (isHidden(c)) {
                return at;
            }
            at += Character.charCount(c);
        }
        return at;
    }

    private static boolean isHidden(int c) {
        if (c < 0x7f) {
            return c < ' ';
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
