package org.exomem.migration.stream.format;

import java.util.regex.Pattern;

/** Text that the other end sent and that people will read. */
public final class ForeignText {
    /** Controls of a terminal, characters that cannot be seen or turn the direction of others, and ends of lines. */
    private static final Pattern CONFUSING = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

    private ForeignText() {}

    /** The same with a space in the place of each character that could confuse a terminal or its reader. */
    public static String plain(String text) {
        return CONFUSING.matcher(text).replaceAll(" ");
    }
}
