package org.exomem.migration.stream.format;

import java.util.regex.Pattern;

/** Text from the other end that people will read. */
public final class ForeignText {
    /** Terminal controls, invisible characters, characters that change the direction of text, and line ends. */
    private static final Pattern CONFUSING = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

    private ForeignText() {}

    /** Returns the text with a space in place of each character that could confuse a terminal or its reader. */
    public static String plain(String text) {
        return CONFUSING.matcher(text).replaceAll(" ");
    }
}
