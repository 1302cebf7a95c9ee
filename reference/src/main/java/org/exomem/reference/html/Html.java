package org.exomem.reference.html;

import java.util.Locale;

/** Text as HTML. The pages are also XML, so that a test can read them with a strict parser. */
final class Html {
    private Html() {}

    /** Escapes a text for the content of an element, or for the value of an attribute in double quotes. */
    static String escape(String text) {
        StringBuilder html = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> html.append("&amp;");
                case '<' -> html.append("&lt;");
                case '>' -> html.append("&gt;");
                case '"' -> html.append("&quot;");
                default -> {
                    // XML can't represent other control characters, not even escaped.
                    if (c >= ' ' || c == '\n' || c == '\t') {
                        html.append(c);
                    }
                }
            }
        }
        return html.toString();
    }

    /** A link to another place of the reference, or to an external page. */
    static String link(String href, String text) {
        return "<a href=\"" + escape(href) + "\">" + escape(text) + "</a>";
    }

    /**
     * The part of a heading's address that is made of its text. It follows GitHub's method, so that links in the
     * chapters work.
     */
    static String slug(String heading) {
        StringBuilder slug = new StringBuilder();
        for (char c : heading.strip().toLowerCase(Locale.ROOT).toCharArray()) {
            if (c == ' ') {
                slug.append('-');
            } else if (Character.isLetterOrDigit(c) || c == '-' || c == '_') {
                slug.append(c);
            }
        }
        return slug.toString();
    }

    /** A number of things: "1 check", "2 checks". */
    static String count(long number, String thing) {
        return number + " " + thing + (number == 1 ? "" : "s");
    }
}
