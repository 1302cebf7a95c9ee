package org.exomem.reference.html;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;

/** The index of the search. It is a script, because a page that was opened from a file may read no other file. */
final class SearchIndex {
    private final List<List<String>> entries = new ArrayList<>();

    /**
     * Adds an entry.
     *
     * @param href page and anchor
     * @param label its name: an id, or a heading
     * @param kind shown beside the label, such as strength and party
     * @param text searched, and shown in part
     * @param more searched, not shown
     */
    void add(String href, String label, String kind, String text, String more) {
        entries.add(List.of(href, label, kind, spaced(text), spaced(more)));
    }

    private static String spaced(String text) {
        return text.strip().replaceAll("\\s+", " ");
    }

    /** The script, which sets one variable. */
    String script() {
        try {
            return "window.exomemReference = " + new ObjectMapper().writeValueAsString(entries) + ";\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
