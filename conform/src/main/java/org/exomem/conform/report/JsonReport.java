package org.exomem.conform.report;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Writer;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.conform.wire.Transcript;
import org.exomem.reference.Catalogue;

/**
 * The whole report as JSON: one object, with an entry in "results" for each check. Later versions may add fields, and
 * never change the meaning of a field.
 */
final class JsonReport {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private JsonReport() {}

    static void write(RunReport report, Catalogue catalogue, Writer to) throws IOException {
        ObjectNode all = JSON.createObjectNode();
        all.put("subject", report.subject());
        all.put("date", DateTimeFormatter.ISO_LOCAL_DATE.format(report.begin().atOffset(ZoneOffset.UTC)));
        all.put("begin", report.begin().toString());
        all.put("nanoseconds", report.nanos());
        all.put("features", FeatureNames.features(report.offered(), report.device()));
        all.put("protocol-features", FeatureNames.protocol(report.offeredProtocol()));
        all.put("sample", report.sample());
        ObjectNode counts = all.putObject("counts");
        for (Verdict verdict : Verdict.values()) {
            counts.put(verdict.name(), report.count(verdict));
        }
        ArrayNode results = all.putArray("results");
        for (CheckResult result : report.results()) {
            describe(result, results.addObject().put("known", report.isKnown(result)));
        }
        ArrayNode notes = all.putArray("notes");
        report.notes().forEach(notes::add);
        to.write(JSON.writeValueAsString(all));
        to.write('\n');
    }

    private static void describe(CheckResult result, ObjectNode into) {
        into.put("requirement", result.check().requirement());
        ArrayNode also = into.putArray("also");
        result.check().requirements().stream().skip(1).forEach(also::add);
        into.put("check", result.check().name());
        into.put("verdict", result.verdict().name());
        into.put("message", result.message());
        into.put("nanoseconds", result.nanos());
        ArrayNode lines = into.putArray("transcript");
        for (Transcript.Line line : result.transcript()) {
            ObjectNode each = lines.addObject();
            each.put("nanoseconds", line.nanos());
            each.put("text", line.text());
            if (line.bytes().length > 0) {
                each.put("bytes", HexFormat.of().formatHex(line.bytes()));
            }
        }
    }
}
