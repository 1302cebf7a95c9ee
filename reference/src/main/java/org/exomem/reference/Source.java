package org.exomem.reference;

import java.util.List;

/**
 * A document with requirements, and the parts of it that were read. Version and date are empty for a chapter of exomem,
 * whose version is that of the program.
 *
 * @param date of the text that was read, as YYYY-MM-DD
 * @param text exactly what was read: repository, tag or commit, files
 * @param sections the sections that the catalogue covers
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
