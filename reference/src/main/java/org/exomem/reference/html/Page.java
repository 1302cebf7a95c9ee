package org.exomem.reference.html;

import java.util.List;

/**
 * What a page of the reference holds, without what all pages have.
 *
 * @param name of its file
 * @param title in the navigation and in the browser
 * @param body HTML
 * @param sections for the navigation
 */
record Page(String name, String title, Kind kind, String body, List<Section> sections) {
    /** Where in the navigation it stands. */
    enum Kind {
        OVERVIEW(""),
        CATALOGUE("Requirements"),
        CHAPTER("Chapters of exomem");

        private final String heading;

        Kind(String heading) {
            this.heading = heading;
        }

        String heading() {
            return heading;
        }
    }

    /**
     * A part of a page.
     *
     * @param anchor its id
     * @param level 2 or 3
     */
    record Section(String anchor, String title, int level) {}

    Page {
        sections = List.copyOf(sections);
    }
}
