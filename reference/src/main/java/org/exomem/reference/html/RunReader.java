package org.exomem.reference.html;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Reads reports of the conformance runner, in JSON. Reads only the fields that are shown, and ignores others, so that
 * later reports may have more fields.
 */
public final class RunReader {
    private static final ObjectMapper JSON = new ObjectMapper();

    private RunReader() {}

    /**
     * The runs that this version of exomem was released with, from {@code spec/results}; empty if there are none.
     *
     * @throws ReportException if a file is not a report
     */
    public static List<Run> load() {
        URL folder = RunReader.class.getResource("/org/exomem/reference/results");
        if (folder == null) {
            return List.of();
        }
        try {
            URI uri = folder.toURI();
            if (!uri.getScheme().equals("jar")) {
                return readAll(Path.of(uri));
            }
            try (FileSystem jar = FileSystems.newFileSystem(uri, Map.of())) {
                return readAll(jar.getPath("/org/exomem/reference/results"));
            }
        } catch (URISyntaxException | IOException e) {
            throw new ReportException("results: " + e.getMessage(), e);
        }
    }

    /**
     * Reads a report.
     *
     * @throws ReportException if the file can't be read or is not a report; the message names the file
     */
    public static Run read(Path file) {
        String name = String.valueOf(file.getFileName());
        try {
            return run(JSON.readTree(Files.readString(file)));
        } catch (JsonProcessingException e) {
            throw new ReportException(name + ": not JSON: " + e.getOriginalMessage(), e);
        } catch (NoSuchFileException e) {
            throw new ReportException(file + ": there is no such file", e);
        } catch (IOException e) {
            throw new ReportException(file + ": can't be read: " + e.getMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new ReportException(name + ": not a report of exomem conform: " + e.getMessage(), e);
        }
    }

    private static List<Run> readAll(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(folder)) {
            files = all.filter(file -> file.toString().endsWith(".json"))
                    .sorted()
                    .toList();
        }
        List<Run> runs = new ArrayList<>();
        for (Path file : files) {
            runs.add(read(file));
        }
        return runs;
    }

    private static Run run(JsonNode report) {
        List<Run.Result> results = new ArrayList<>();
        for (JsonNode result : wanted(report, "results")) {
            results.add(new Run.Result(
                    requirements(result),
                    wanted(result, "check").asText(),
                    verdict(wanted(result, "verdict").asText()),
                    result.path("message").asText("")));
        }
        return new Run(
                wanted(report, "subject").asText(),
                report.path("version").asText(""),
                report.path("date").asText(""),
                report.path("command").asText(""),
                results);
    }

    /**
     * The requirement for which a failure is reported, followed by the others that the check is about, if the report
     * names any.
     */
    private static List<String> requirements(JsonNode result) {
        List<String> ids = new ArrayList<>();
        ids.add(wanted(result, "requirement").asText());
        for (JsonNode id : result.path("also")) {
            ids.add(id.asText());
        }
        return ids;
    }

    private static Verdict verdict(String text) {
        return Stream.of(Verdict.values())
                .filter(each -> each.name().equals(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("\"" + text + "\" is not a verdict"));
    }

    private static JsonNode wanted(JsonNode node, String field) {
        JsonNode value = node.get(field);
        if (value == null) {
            throw new IllegalArgumentException(field + " is missing");
        }
        return value;
    }
}
