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

/** All requirements, in the order of their documents: first those of others, then exomem's own chapters. Immutable. */
public final class Catalogue {
    /** The files in YAML, in the order in which they are shown. */
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
                    throw new CatalogueException(document.file() + ": " + requirement.id() + ": is there twice"
                            + (other == document ? "" : ", also in " + other.file()));
                }
            }
        }
    }

    /**
     * The catalogue of this version of exomem.
     *
     * @throws CatalogueException if one of its files is not as it should be
     */
    public static Catalogue load() {
        List<Document> documents = new ArrayList<>();
        for (String file : FILES) {
            try (InputStream in = Catalogue.class.getResourceAsStream(file)) {
                // A document whose requirements are not written down yet has no file.
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
     * A catalogue of these documents.
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
     * The document that a requirement is from.
     *
     * @throws IllegalArgumentException if it is not of this catalogue
     */
    public Document documentOf(Requirement requirement) {
        Document document = documentsById.get(requirement.id());
        if (document == null) {
            throw new IllegalArgumentException(requirement.id() + " is not in this catalogue");
        }
        return document;
    }

    /** The requirement with that id, in small or capital letters. */
    public Optional<Requirement> byId(String id) {
        return requirements(requirement -> requirement.id().equalsIgnoreCase(id)).stream()
                .findFirst();
    }

    /**
     * Those whose id begins with these words, such as {@code ring.split} or {@code FPB-DESC}, and behind them those that name
     * a rule whose id does so.
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

    /** Those that name a rule of a chapter of {@code spec/}, such as BAL-HINT-4: as an alias first, then to see. */
    public List<Requirement> byRule(String rule) {
        String wanted = rule.toUpperCase(Locale.ROOT);
        return Stream.concat(
                        requirements(each -> each.aliases().contains(wanted)).stream(),
                        requirements(each -> each.see().contains(wanted)).stream())
                .toList();
    }

    /** Those of the section with that number, and of sections within it. */
    public List<Requirement> inSection(String number) {
        return requirements(requirement -> requirement
                .sectionNumber()
                .filter(each -> each.equals(number) || each.startsWith(number + "."))
                .isPresent());
    }

    /** Those in which all of these words occur, in small or capital letters: in id, strength, party, section, statement, note. */
    public List<Requirement> withWords(List<String> words) {
        List<String> wanted =
                words.stream().map(word -> word.toLowerCase(Locale.ROOT)).toList();
        return requirements(requirement -> {
            String text = searched(requirement);
            return wanted.stream().allMatch(text::contains);
        });
    }

    /**
     * What somebody may mean who types that text: the requirement with that id, or else those of a group, those that name a
     * rule, those of a section, or those in which all of its words occur, whichever is found first.
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
