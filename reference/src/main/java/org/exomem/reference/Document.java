package org.exomem.reference;

import java.util.List;

/**
 * The catalogue of one source document.
 *
 * @param file the name of the file that it was read from
 */
public record Document(String file, Source source, List<SectionCount> counts, List<Requirement> requirements) {
    public Document {
        counts = List.copyOf(counts);
        requirements = List.copyOf(requirements);
    }

    /** Whether this is a chapter of exomem, and not a document of others. */
    public boolean isChapter() {
        return file.endsWith(".md");
    }
}
