package org.exomem.reference;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A chapter of {@code spec/}: prose that contains rules with ids. The rules are read from the text that people read, so
 * that there is no second copy of them. {@code spec/README.md} describes the form. Immutable.
 *
 * @param file the name of the file, such as {@code state.md}
 * @param rules all rules that the chapter defines, in its order; a rule that is defined twice is here twice
 * @param notObservable why no test can observe a rule, by the rule's id: the table "Not observable"
 */
public record Chapter(String file, String title, List<Rule> rules, Map<String, String> notObservable) {
    /** The id of a rule; its first group is the chapter's letters. */
    public static final Pattern ID = Pattern.compile("([A-Z]{2,4})(?:-[A-Z]+)?-\\d+");

    /** The files, in the order in which they are shown. */
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

    public Chapter {
        rules = List.copyOf(rules);
        notObservable = Collections.unmodifiableMap(new LinkedHashMap<>(notObservable));
    }

    /**
     * A rule.
     *
     * @param id such as {@code FPB-DESC-3}
     * @param binds the party that the rule binds
     * @param section the heading above the rule
     * @param statement its text, without links and emphasis
     * @param origin the section of the document that the chapter is about, "our own" or "practice", as in the chapter;
     * empty if the table has no such column
     */
    public record Rule(String id, Party binds, String section, String statement, Optional<String> origin) {
        /**
         * Whether the rule may merely repeat another document: it names a section of that document, and nothing of
         * exomem's own.
         */
        boolean restates() {
            return origin.filter(text -> !text.toLowerCase(Locale.ROOT).contains("our own")
                            && !text.toLowerCase(Locale.ROOT).contains("practice"))
                    .isPresent();
        }
    }

    /**
     * Loads all chapters of this version of exomem.
     *
     * @throws CatalogueException if one is invalid
     */
    public static List<Chapter> load() {
        List<Chapter> chapters = new ArrayList<>();
        for (String file : FILES) {
            try (InputStream in = Objects.requireNonNull(Chapter.class.getResourceAsStream(file), file);
                    BufferedReader text = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
                chapters.add(parse(file, text.lines().toList()));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return List.copyOf(chapters);
    }

    /**
     * Parses a chapter.
     *
     * @param file its name, also for messages
     * @throws CatalogueException if a rule is not well-formed; the message names file and line
     */
    public static Chapter parse(String file, List<String> lines) {
        return new ChapterReader(file).read(lines);
    }
}
