package org.exomem.reference;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * All requirements, in the order of their documents: first the documents of others, then exomem's own chapters.
 * Immutable.
 */
public final class Catalogue {
    /** The YAML files, in the order in which they are shown. */
    private static final List<String> FILES = List.of("virtio.yaml", "vhost-user.yaml", "robust.yaml");

    private final List<Document> documents;
    /** Each requirement's document, by its id. */
    private final Map<String, Document> documentsById = new HashMap<>();

    private Catalogue(List<Document> documents) {
        this.documents = List.copyOf(documents);
        for (Document document : documents) {
            for (Requirement requirement : document.requirements()) {
                Document other = documentsById.put(requirement.id(), document);
                if (other != null) {
                    throw new CatalogueException(document.file() + ": " + requirement.id() + ": is defined twice"
                            + (other == document ? "" : ", also in " + other.file()));
                }
            }
        }
    }

    /**
     * Loads the catalogue of this version of exomem.
     *
     * @throws CatalogueException if one of its files is invalid
     */
    public static Catalogue load() {
        List<Document> documents = new ArrayList<>();
        for (String file : FILES) {
            try (InputStream in = Catalogue.class.getResourceAsStream(file)) {
                // A document without written requirements has no file yet.
                if (in != null) {
                    documents.add(DocumentReader.read(file, new InputStreamReader(in, StandardCharsets.UTF_8)));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        List<Document> others = List.copyOf(documents);
        for (Chapter chapter : Chapter.load()) {
            documents.add(ChapterDocument.of(chapter, others));
        }
        return new Catalogue(documents);
    }

    /**
     * Creates a catalogue of these documents.
     *
     * @throws CatalogueException if two requirements have the same id
     */
    public static Catalogue of(List<Document> documents) {
        return new Catalogue(documents);
    }

    public List<Document> documents() {
        return documents;
    }

    public List<Requirement> requirements() {
        return requirements(requirement -> true);
    }

    /**
     * The document that has a requirement.
     *
     * @throws IllegalArgumentException if the requirement is not in this catalogue
     */
    public Document documentOf(Requirement requirement) {
        Document document = documentsById.get(requirement.id());
        if (document == null) {
            throw new IllegalArgumentException(requirement.id() + " is not in this catalogue");
        }
        return document;
    }

    /** The requirement with that id. Upper and lower case are equal. */
    public Optional<Requirement> byId(String id) {
        return requirements(requirement -> requirement.id().equalsIgnoreCase(id)).stream()
                .findFirst();
    }

    /**
     * The requirements whose id begins with these words, such as {@code ring.split} or {@code FPB-DESC}, followed by
     * those that name a rule whose id begins so.
     */
    public List<Requirement> inGroup(String group) {
        String words = group.toLowerCase(Locale.ROOT) + ".";
        String letters = group.toUpperCase(Locale.ROOT) + "-";
        Predicate<Requirement> within = requirement ->
                requirement.id().startsWith(words) || requirement.id().startsWith(letters);
        Predicate<Requirement> naming =
                requirement -> Stream.concat(requirement.aliases().stream(), requirement.see().stream())
                        .anyMatch(rule -> rule.startsWith(letters));
        return Stream.concat(
                        requirements(within).stream(),
                        requirements(within.negate().and(naming)).stream())
                .toList();
    }

    /**
     * The requirements that name a rule of a chapter of {@code spec/}, such as BAL-HINT-4: first those with an alias,
     * then those with a reference ("see").
     */
    public List<Requirement> byRule(String rule) {
        String wanted = rule.toUpperCase(Locale.ROOT);
        return Stream.concat(
                        requirements(each -> each.aliases().contains(wanted)).stream(),
                        requirements(each -> each.see().contains(wanted)).stream())
                .toList();
    }

    /** The requirements of the section with that number, and of its subsections. */
    public List<Requirement> inSection(String number) {
        return requirements(requirement -> requirement
                .sectionNumber()
                .filter(each -> each.equals(number) || each.startsWith(number + "."))
                .isPresent());
    }

    /**
     * The requirements that contain all of these words in their id, strength, party, section, statement or note. Upper
     * and lower case are equal.
     */
    public List<Requirement> withWords(List<String> words) {
        List<String> wanted =
                words.stream().map(word -> word.toLowerCase(Locale.ROOT)).toList();
        return requirements(requirement -> {
            String text = searched(requirement);
            return wanted.stream().allMatch(text::contains);
        });
    }

    /**
     * The requirements that a user may mean with a text. Tries in this order, and returns the first result: the
     * requirement with that id; a group; those that name a rule; those of a section; those that contain all words.
     */
    public List<Requirement> search(String text) {
        String wanted = text.strip();
        return Stream.<List<Requirement>>of(
                        byId(wanted).map(List::of).orElse(List.of()),
                        inGroup(wanted),
                        byRule(wanted),
                        inSection(wanted),
                        withWords(List.of(wanted.split("\\s+"))))
                .filter(found -> !found.isEmpty())
                .findFirst()
                .orElse(List.of());
    }

    private static String searched(Requirement requirement) {
        return String.join(
                        "\n",
                        requirement.id(),
                        requirement.strength().toString(),
                        requirement.binds().toString(),
                        requirement.section(),
                        requirement.statement(),
                        requirement.note().orElse(""))
                .toLowerCase(Locale.ROOT);
    }

    private List<Requirement> requirements(Predicate<Requirement> wanted) {
        return documents.stream()
                .flatMap(document -> document.requirements().stream())
                .filter(wanted)
                .toList();
    }
}
