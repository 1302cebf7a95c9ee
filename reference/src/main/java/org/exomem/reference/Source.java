package org.exomem.reference;

import java.util.List;

/**
 * A document that has requirements, and what was read of it. Version and date are empty for a chapter of exomem's own, which is
 * that of the program.
 *
 * @param date of the text that was read, as YYYY-MM-DD
 * @param text exactly what was read: repository, tag or commit, files
 * @param sections what the catalogue covers
 * @param method how its statements were counted
 */
public record Source(
        String title,
        String version,
        String publisher,
        String url,
        String date,
        String text,
        List<String> sections,
        String method) {
    public Source {
        sections = List.copyOf(sections);
    }

    /** The title, and the version if it has one. */
    public String name() {
        return version.isEmpty() ? title : title + " " + version;
    }
}
