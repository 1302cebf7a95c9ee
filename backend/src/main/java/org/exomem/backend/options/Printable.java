package org.exomem.backend.options;

/** Text that others wrote, for a terminal. */
public final class Printable {
    private Printable() {}

    /**
     * The text with control characters as {@code \\u001b}, except line ends: a terminal would obey them.
     *
     * @param text may have several lines
     */
    public static String text(String text) {
        int i = 0;
        while (i < text.length() && isHarmless(text.charAt(i))) {
            i++;
        }
        if (i == text.length()) {
            return text;
        }
        StringBuilder printable = new StringBuilder().append(text, 0, i);
        for (; i < text.length(); i++) {
            char c = text.charAt(i);
            if (isHarmless(c)) {
                printable.append(c);
            } else {
                String digits = Integer.toHexString(c);
                printable.append("\\u").append("0".repeat(4 - digits.length())).append(digits);
            }
        }
        return printable.toString();
    }

    private static boolean isHarmless(char c) {
        return c == '\n' || !Character.isISOControl(c);
    }
}
