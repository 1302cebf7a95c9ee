package org.exomem.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.exomem.vmm.GuestImage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** Every benchmark still runs, at its smallest size. The figures have no meaning then, and no target is checked. */
class BenchmarksTest {
    @TempDir
    private Path results = Path.of("");

    static Stream<List<String>> small() {
        return Stream.of(
                List.of("device-inflate", "--memory=8", "--rounds=1", "--warm-up=0"),
                List.of("device-plug", "--requests=16", "--memory=8", "--rounds=1", "--warm-up=0"),
                List.of("patrol", "--region=1", "--rounds=1", "--found=4", "--interval=1", "--violations=1"),
                List.of("watched-loop", "--vms=2", "--memory=2", "--seconds=1", "--rounds=1"),
                List.of("block-map", "--forks=0", "--iterations=1", "--millis=10"),
                List.of("kick-latency", "--rounds=1", "--times=50"),
                List.of("idle", "--starts=1", "--vms=2", "--seconds=1", "--settle=5"),
                List.of("watch", "--memory=64", "--rounds=1"),
                List.of("page-faults", "--memory=4", "--rounds=1"),
                List.of("remote-faults", "--memory=64", "--touched=4", "--rounds=1"),
                List.of("command-start", "--rounds=1"),
                List.of("many-vms", "--vms=2"),
                List.of("stream", "--memory=8", "--rounds=1", "--warm-up=0"),
                List.of("micro", "--forks=0", "--iterations=1", "--millis=10"));
    }

    @ParameterizedTest
    @MethodSource("small")
    void everyBenchmarkMeasuresAndWritesItsFigures(List<String> words) throws IOException {
        assertThat(figuresOf(words)).isNotEmpty().allSatisfy(figure -> {
            assertThat(figure.path("name").asText()).isNotBlank();
            assertThat(figure.path("value").asDouble()).isFinite();
        });
    }

    @Test
    void hugePagesMeasuresBothKindsOfPages() throws IOException {
        assumeThat(ProcessHandle.current().info().user())
                .as("only root can mount")
                .contains("root");
        assertThat(figuresOf(List.of("huge-pages", "--memory=8", "--rounds=1")))
                .extracting(figure -> figure.path("value").asDouble())
                .allSatisfy(value -> assertThat(value).isPositive());
    }

    @Test
    void guestInflateMeasuresBothBalloons() throws IOException {
        // The tests of real guests report what is missing, and fail on a build server without it.
        assumeThat(GuestImage.whyAbsent()).isEmpty();
        assertThat(figuresOf(List.of("guest-inflate", "--memory=512", "--inflate=128", "--used=0", "--rounds=1")))
                .extracting(figure -> figure.path("value").asDouble())
                .allSatisfy(value -> assertThat(value).isPositive());
    }

    @Test
    void guestPlugMeasuresBothDevices() throws IOException {
        assumeThat(GuestImage.whyAbsent()).isEmpty();
        assertThat(figuresOf(List.of("guest-plug", "--size=256", "--used=0", "--rounds=1")))
                .extracting(figure -> figure.path("value").asDouble())
                .allSatisfy(value -> assertThat(value).isPositive());
    }

    @Test
    void guestMigrateMeasuresAndDrawsItsPicture() throws IOException {
        assumeThat(GuestImage.whyAbsent()).isEmpty();
        Path picture = results.resolve("picture.svg");
        assertThat(figuresOf(List.of(
                        "guest-migrate", "--memory=512", "--after=BOOT", "--ways=EXOMEM", "--picture=" + picture)))
                .extracting(figure -> figure.path("value").asDouble())
                .allSatisfy(value -> assertThat(value).isPositive());
        assertThat(picture).content().contains("exomem, no hints").endsWith("</svg>\n");
    }

    @Test
    void guestFreePagesMeasuresAnswersAndWhatTheyCost() throws IOException {
        assumeThat(GuestImage.whyAbsent()).isEmpty();
        assertThat(figuresOf(List.of(
                        "guest-free-pages",
                        "--memory=512",
                        "--fragmented=128",
                        "--requests=2",
                        "--seconds=2",
                        "--reported-after=8")))
                .extracting(figure -> figure.path("value").asDouble())
                .allSatisfy(value -> assertThat(value).isPositive());
    }

    private List<JsonNode> figuresOf(List<String> words) throws IOException {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine benchmarks =
                Benchmarks.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        List<String> all = new ArrayList<>(words);
        all.add("--results=" + results);
        int missedOrNot = benchmarks.execute(all.toArray(String[]::new));
        assertThat(missedOrNot).describedAs("%s%s", out, err).isBetween(0, 1);
        Path file = results.resolve(words.getFirst() + ".json");
        assertThat(file).describedAs("%s%s", out, err).exists();
        JsonNode result = new ObjectMapper().readTree(file.toFile());
        assertThat(result.path("machine").path("cpus").asInt()).isPositive();
        return StreamSupport.stream(result.path("figures").spliterator(), false).toList();
    }
}
