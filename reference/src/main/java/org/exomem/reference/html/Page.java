package org.exomem.reference.html;

import java.util.List;

/**
 * The content of a page of the reference, without the parts that all pages share.
 *
 * @param name of its file
 * @param title in the navigation and in the browser
 * @param body HTML
 * @param sections for the navigation
 */
record Page(String name, String title, Kind kind, String body, List<Section> sections) {
    /** The page's place in the navigation. */
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
