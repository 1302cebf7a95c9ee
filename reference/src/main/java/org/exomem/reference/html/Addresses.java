package org.exomem.reference.html;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The address of each id in the pages. Turns ids in texts into links. */
final class Addresses {
    /** A word that may be the id of a rule, of a group of rules, or of an entry in the catalogue. */
    private static final Pattern ID = Pattern.compile("(?<![\\w.-])(?:[A-Z]{2,8}(?:-[A-Z]+)*(?:-[0-9]+)?"
            + "|[a-z][a-z0-9-]*(?:\\.[a-z][a-z0-9-]*)*\\.[1-9][0-9]*)(?![\\w-])");

    private static final Pattern CODE = Pattern.compile("`([^`]+)`");

    private final Map<String, String> hrefs = new HashMap<>();

    /** Adds an address. The first address of an id counts. */
    void add(String id, String page) {
        hrefs.putIfAbsent(id, page + "#" + id);
        int end = id.lastIndexOf('-');
        // "MIG-HINT" leads to the first rule whose id begins so. The letters of a chapter alone are often an ordinary
        // word.
        if (end > 0 && id.indexOf('-') < end) {
            hrefs.putIfAbsent(id.substring(0, end), page + "#" + id);
        }
    }

    Optional<String> of(String id) {
        return Optional.ofNullable(hrefs.get(id));
    }

    /** The id as a link; as text if it has no address. */
    String link(String id) {
        return of(id).map(href -> "<a class=\"id\" href=\"" + Html.escape(href) + "\">" + Html.escape(id) + "</a>")
                .orElse(Html.escape(id));
    }

    /** A text as HTML, with all ids as links. */
    String linked(String text) {
        StringBuilder html = new StringBuilder();
        Matcher id = ID.matcher(text);
        int end = 0;
        while (id.find()) {
            if (hrefs.containsKey(id.group())) {
                html.append(Html.escape(text.substring(end, id.start()))).append(link(id.group()));
                end = id.end();
            }
        }
        return html.append(Html.escape(text.substring(end))).toString();
    }

    /** Like {@link #linked}, for a text that has code between backticks. */
    String prose(String text) {
        StringBuilder html = new StringBuilder();
        Matcher code = CODE.matcher(text);
        int end = 0;
        while (code.find()) {
            html.append(linked(text.substring(end, code.start())))
                    .append("<code>")
                    .append(linked(code.group(1)))
                    .append("</code>");
            end = code.end();
        }
        return html.append(linked(text.substring(end))).toString();
    }
}
