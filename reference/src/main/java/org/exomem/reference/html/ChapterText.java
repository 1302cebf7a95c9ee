package org.exomem.reference.html;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.exomem.reference.Catalogue;

/**
 * The text of a chapter of {@code spec/}.
 *
 * @param file its name, such as {@code balloon.md}
 * @param markdown the text
 */
record ChapterText(String file, String markdown) {
    /** The chapters, in the order of {@code spec/README.md}. */
    private static final List<String> FILES = List.of(
            "vhost-user.md",
            "virtqueues.md",
            "balloon.md",
            "free-page-bitmap.md",
            "mem.md",
            "state.md",
            "migration.md",
            "migration-stream.md",
            "pager.md",
            "pages.md",
            "images.md",
            "vmm.md",
            "control.md");

    static List<ChapterText> load() {
        List<ChapterText> chapters = new ArrayList<>();
        for (String file : FILES) {
            try (InputStream in = Objects.requireNonNull(Catalogue.class.getResourceAsStream(file), file)) {
                chapters.add(new ChapterText(file, new String(in.readAllBytes(), StandardCharsets.UTF_8)));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return List.copyOf(chapters);
    }

    /** The name of the page that it becomes. */
    String page() {
        return file.replaceFirst("\\.md$", ".html");
    }
}
