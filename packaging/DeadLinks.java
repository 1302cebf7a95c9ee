import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Removes dead links from the documents of a package. Documents link to each other, and to sources that are not in the package. A link to a missing
 * file is replaced by its text.
 *
 * <p>Run as {@code java DeadLinks.java FOLDER}; changes the files in the folder whose names end in {@code .md}.
 */
final class DeadLinks {
    private static final Pattern LINK = Pattern.compile("!?\\[((?:[^\\[\\]]|\\[[^\\]]*\\])*)\\]\\(([^)#\\s]+)(?:#[^)\\s]*)?\\)");

    private DeadLinks() {}

    public static void main(String[] arguments) throws IOException {
        List<Path> documents;
        try (Stream<Path> files = Files.walk(Path.of(arguments[0]))) {
            documents = files.filter(file -> file.toString().endsWith(".md")).toList();
        }
        for (Path document : documents) {
            String text = Files.readString(document);
            Files.writeString(document, LINK.matcher(text).replaceAll(link -> kept(document, link)));
        }
    }

    private static String kept(Path document, MatchResult link) {
        String target = link.group(2);
        boolean there = target.contains("://") || Files.exists(document.resolveSibling(target));
        return Matcher.quoteReplacement(there ? link.group() : link.group(1));
    }
}
