package org.exomem.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.exomem.reference.Chapter;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Compares the rules of {@code spec/} with the tests that name them: a test method or class that checks a rule has the
 * rule's id as its {@code @Tag}. Sources are read as text, so that the tests of all modules are found.
 */
class EveryRuleHasATestTest {
    private static final Pattern TAG = Pattern.compile("@Tag\\(\"([^\"]*)\"\\)");
    private static final Path TEST_SOURCES = Path.of("src", "test", "java");

    private static final List<Chapter> CHAPTERS = new ArrayList<>();
    /** The files that name an id, by the id. */
    private static final Map<String, Set<String>> TAGS = new TreeMap<>();

    @BeforeAll
    static void read() throws IOException {
        Path root = root();
        CHAPTERS.addAll(Chapter.load());
        for (Path module : modules(root)) {
            for (Path source : files(module.resolve(TEST_SOURCES), ".java")) {
                Matcher tag = TAG.matcher(Files.readString(source));
                while (tag.find()) {
                    TAGS.computeIfAbsent(tag.group(1), id -> new TreeSet<>())
                            .add(root.relativize(source).toString());
                }
            }
        }
    }

    /** The folder of the repository: Maven runs tests in a module of it, an IDE possibly at its top. */
    private static Path root() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(folder.resolve("spec"))) {
            folder = Objects.requireNonNull(folder.getParent(), "no folder spec/ here or above");
        }
        return folder;
    }

    private static List<Path> modules(Path root) throws IOException {
        try (Stream<Path> paths = Files.find(root, 2, (path, kind) -> Files.isDirectory(path.resolve(TEST_SOURCES)))) {
            return paths.sorted().toList();
        }
    }

    private static List<Path> files(Path folder, String end) throws IOException {
        try (Stream<Path> paths =
                Files.find(folder, 20, (path, kind) -> path.toString().endsWith(end))) {
            return paths.sorted().toList();
        }
    }

    private static List<String> ids(Chapter chapter) {
        return chapter.rules().stream().map(Chapter.Rule::id).toList();
    }

    private static Set<String> rules() {
        Set<String> rules = new HashSet<>();
        CHAPTERS.forEach(chapter -> rules.addAll(ids(chapter)));
        return rules;
    }

    /** The mistakes that a check finds, a line for each chapter that has any. */
    private static String byChapter(Function<Chapter, List<String>> check) {
        StringBuilder lines = new StringBuilder();
        for (Chapter chapter : CHAPTERS) {
            List<String> found = check.apply(chapter);
            if (!found.isEmpty()) {
                lines.append("%n%s, %d: %s".formatted(chapter.file(), found.size(), String.join(" ", found)));
            }
        }
        return lines.toString();
    }

    @Test
    void everyRuleIsNamedByATestOrIsNotObservable() {
        assertThat(byChapter(chapter -> ids(chapter).stream()
                        .filter(id -> !TAGS.containsKey(id)
                                && !chapter.notObservable().containsKey(id))
                        .toList()))
                .as("rules that no test names and that are not in a table \"Not observable\"")
                .isEmpty();
    }

    @Test
    void noRuleIsNamedByATestAndNotObservable() {
        assertThat(byChapter(chapter -> chapter.notObservable().keySet().stream()
                        .filter(TAGS::containsKey)
                        .toList()))
                .as("rules that a test names though they are in a table \"Not observable\"")
                .isEmpty();
    }

    @Test
    void everyTagThatLooksLikeAnIdIsARule() {
        Map<String, Set<String>> unknown = new TreeMap<>(TAGS);
        unknown.keySet().removeIf(tag -> !Chapter.ID.matcher(tag).matches());
        unknown.keySet().removeAll(rules());
        assertThat(unknown)
                .as("tags that are in no chapter, and the tests that have them")
                .isEmpty();
    }

    @Test
    void everyRuleThatIsNotObservableIsARuleOfItsChapterAndHasAReason() {
        assertThat(byChapter(chapter -> chapter.notObservable().entrySet().stream()
                        .filter(entry ->
                                entry.getValue().isEmpty() || !ids(chapter).contains(entry.getKey()))
                        .map(Map.Entry::getKey)
                        .toList()))
                .as("rows of tables \"Not observable\" without a reason, or for no rule of the chapter")
                .isEmpty();
    }

    @Test
    void idsAreUnique() {
        Set<String> seen = new HashSet<>();
        assertThat(byChapter(chapter ->
                        ids(chapter).stream().filter(id -> !seen.add(id)).toList()))
                .as("ids that stand for two rules")
                .isEmpty();
    }

    @Test
    void rulesAndTagsAreFoundAtAll() {
        assertThat(rules()).hasSizeGreaterThan(300);
        assertThat(TAGS).isNotEmpty();
    }
}
