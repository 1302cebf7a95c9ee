package org.exomem.backend.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** {@code docs/metrics.md} and the alert rules agree with the code. */
class MetricsDocumentTest {
    @Test
    void tableHasEveryMetricWithItsTypeItsLabelsAndItsMeaning() throws IOException {
        List<String> inCode = Arrays.stream(Metric.values())
                .map(metric ->
                        "| `" + metric.fullName() + "` | " + metric.type().word() + " | "
                                + metric.labels().stream()
                                        .map(label -> "`" + label + "`")
                                        .collect(Collectors.joining(", "))
                                + " | " + metric.help() + " |")
                .toList();
        assertThat(rows("## All metrics", "\\| `(exomem|process|jvm)_.*")).isEqualTo(inCode);
    }

    @Test
    void everyAlertIsExplainedAndTestedAndNoneIsThatThereIsNot() throws IOException {
        List<String> alerts = new ArrayList<>();
        for (JsonNode rule : rules()) {
            alerts.add("| `" + rule.path("alert").asText() + "` | "
                    + rule.path("labels").path("severity").asText() + " |");
        }
        assertThat(rows("## Alerts", "\\| `Exomem.*").stream()
                        .map(row -> row.replaceAll("^(\\| [^|]* \\| [^|]* \\|).*", "$1")))
                .isEqualTo(alerts);
        String tests = Files.readString(prometheus().resolve("alerts-test.yaml"));
        for (JsonNode rule : rules()) {
            String tested = "alertname: " + rule.path("alert").asText() + "\n        exp_alerts:";
            assertThat(tests).contains(tested + "\n").contains(tested + " []");
        }
    }

    @Test
    void alertsNameMetricsAndLabelsThatThereAre() throws IOException {
        List<String> names = Arrays.stream(Metric.values())
                .flatMap(metric -> metric.type() == Metric.Type.HISTOGRAM
                        ? Stream.of(metric.fullName(), metric.fullName() + "_bucket")
                        : Stream.of(metric.fullName()))
                .toList();
        for (JsonNode rule : rules()) {
            Pattern.compile("\\b(exomem|process|jvm)_[a-z_]+")
                    .matcher(rule.path("expr").asText())
                    .results()
                    .forEach(found -> assertThat(names).contains(found.group()));
        }
    }

    private static JsonNode rules() throws IOException {
        return new YAMLMapper()
                .readTree(prometheus().resolve("alerts.yaml").toFile())
                .path("groups")
                .path(0)
                .path("rules");
    }

    private static List<String> rows(String heading, String row) throws IOException {
        List<String> lines = Files.readAllLines(docs().resolve("metrics.md"));
        return lines.stream()
                .skip(lines.indexOf(heading) + 1L)
                .takeWhile(line -> !line.startsWith("## "))
                .filter(line -> line.matches(row))
                .toList();
    }

    /** The folder of the alert rules. */
    static Path prometheus() {
        return docs().resolve("prometheus");
    }

    private static Path docs() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(folder.resolve("docs"))) {
            folder = Objects.requireNonNull(folder.getParent());
        }
        return folder.resolve("docs");
    }
}
