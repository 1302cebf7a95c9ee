package org.exomem.others;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.regex.Pattern;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;

/** The results of a run, without the parts that differ in each run. The reference's matrix is made of them. */
final class RecordedResults {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private static final Pattern DESCRIPTOR = Pattern.compile("\\bfd \\d+");
    private static final Pattern LAST_WORDS = Pattern.compile("; its last output:.*", Pattern.DOTALL);

    private RecordedResults() {}

    /** Writes {@code spec/results/PROGRAM.json}. */
    static void write(OtherBackEnd other, RunReport report) throws IOException {
        ObjectNode all = JSON.createObjectNode();
        all.put("subject", other.program());
        all.put("version", other.version());
        all.put("date", report.begin().atOffset(ZoneOffset.UTC).toLocalDate().toString());
        all.put("command", other.command());
        ArrayNode results = all.putArray("results");
        for (CheckResult result : report.results()) {
            ObjectNode each = results.addObject();
            each.put("requirement", result.check().requirement());
            each.put("check", result.check().name());
            each.put("verdict", result.verdict().name());
            each.put("message", lasting(result.message()));
        }
        Path file = OtherBackEnd.root().resolve("spec/results").resolve(other.program() + ".json");
        Files.createDirectories(file.getParent());
        Files.writeString(file, JSON.writeValueAsString(all) + "\n");
    }

    private static String lasting(String message) {
        return LAST_WORDS
                .matcher(DESCRIPTOR.matcher(message).replaceAll("a descriptor"))
                .replaceAll("");
    }
}
