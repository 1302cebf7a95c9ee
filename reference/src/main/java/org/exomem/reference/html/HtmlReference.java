package org.exomem.reference.html;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Document;
import org.exomem.reference.Requirement;

/** Writes the reference as a folder of static files for a browser. */
public final class HtmlReference {
    private final Catalogue catalogue;
    private final List<ChapterText> chapterTexts;
    private final Results results;

    private HtmlReference(Catalogue catalogue, List<ChapterText> chapterTexts, List<Run> runs) {
        this.catalogue = catalogue;
        this.chapterTexts = chapterTexts;
        this.results = new Results(runs);
    }

    /**
     * Creates the reference of this version of exomem.
     *
     * @param runs results of the conformance runner, for the matrix; may be empty
     */
    public static HtmlReference of(Catalogue catalogue, List<Run> runs) {
        return new HtmlReference(catalogue, ChapterText.load(), runs);
    }

    /** Creates the reference with other chapters. */
    static HtmlReference of(Catalogue catalogue, List<ChapterText> chapters, List<Run> runs) {
        return new HtmlReference(catalogue, chapters, runs);
    }

    /**
     * Writes the reference; the build calls this.
     *
     * @param arguments the folder, and files with further reports of the conformance runner, in addition to those of
     * {@code spec/results}
     * @throws IOException if a file can't be read, or the folder can't be written
     */
    public static void main(String[] arguments) throws IOException {
        List<Run> runs = new ArrayList<>(RunReader.load());
        for (String file : List.of(arguments).subList(1, arguments.length)) {
            runs.add(RunReader.read(Path.of(file)));
        }
        of(Catalogue.load(), runs).write(Path.of(arguments[0]));
    }

    /**
     * Writes all files into a folder, and creates it if it is missing. Replaces files with the same names, and does not
     * touch others.
     *
     * @throws IOException if the folder can't be written
     */
    public void write(Path folder) throws IOException {
        Files.createDirectories(folder);
        for (Map.Entry<String, String> file : files().entrySet()) {
            Files.writeString(folder.resolve(file.getKey()), file.getValue());
        }
    }

    /** The content of all files, by name. */
    Map<String, String> files() throws IOException {
        List<ChapterPage> chapters = chapterTexts.stream().map(ChapterPage::new).toList();
        List<DocumentPage> documents = catalogue.documents().stream()
                .filter(document -> chapterOf(document, chapters).isEmpty())
                .map(DocumentPage::new)
                .toList();
        Addresses addresses = new Addresses();
        chapters.forEach(chapter -> chapter.rules().forEach(rule -> addresses.add(rule, chapter.name())));
        for (Document document : catalogue.documents()) {
            String page = chapterOf(document, chapters)
                    .map(ChapterPage::name)
                    .orElseGet(() -> new DocumentPage(document).name());
            document.requirements().forEach(requirement -> addresses.add(requirement.id(), page));
        }
        Facts facts = new Facts(catalogue, addresses, results);
        SearchIndex index = new SearchIndex();

        List<Page> pages = new ArrayList<>();
        pages.add(new OverviewPage(catalogue, results).render(documents, chapters));
        pages.add(new MatrixPage(catalogue, addresses, results).render());
        documents.forEach(document -> pages.add(document.render(facts, index)));
        Map<String, String> titles = chapters.stream().collect(Collectors.toMap(ChapterPage::file, ChapterPage::title));
        chapters.forEach(
                chapter -> pages.add(chapter.render(addresses, facts, titles, index, appendix(chapter, facts, index))));

        Map<String, String> files = new LinkedHashMap<>();
        Frame frame = new Frame(pages);
        pages.forEach(page -> files.put(page.name(), frame.html(page)));
        files.put(Frame.INDEX, index.script());
        files.put(Frame.STYLE, resource(Frame.STYLE));
        files.put(Frame.SCRIPT, resource(Frame.SCRIPT));
        return files;
    }

    /** The chapter from which a document of the catalogue was made. */
    private static Optional<ChapterPage> chapterOf(Document document, List<ChapterPage> chapters) {
        return chapters.stream()
                .filter(chapter -> chapter.file().equals(document.file()))
                .findFirst();
    }

    /** Entries of a chapter's document that the chapter does not show, so that none is missing. */
    private String appendix(ChapterPage chapter, Facts facts, SearchIndex index) {
        Set<String> there = new HashSet<>(chapter.rules());
        StringBuilder html = new StringBuilder();
        for (Document document : catalogue.documents()) {
            if (document.file().equals(chapter.file())) {
                for (Requirement requirement : document.requirements()) {
                    if (!there.contains(requirement.id())) {
                        html.append(facts.entry(requirement));
                        DocumentPage.index(index, requirement, chapter.name());
                    }
                }
            }
        }
        return html.isEmpty() ? "" : "<h2>Further requirements</h2>\n" + html;
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(HtmlReference.class.getResourceAsStream(name), name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
