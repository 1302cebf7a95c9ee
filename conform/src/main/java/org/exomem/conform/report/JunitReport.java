package org.exomem.conform.report;

import java.io.IOException;
import java.io.Writer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.reference.Catalogue;
import org.jspecify.annotations.Nullable;

/**
 * JUnit's XML, as CI services read it: a suite for each group of requirements, a test case for each check. A known
 * failure is a skipped test case, because the format has no other form for a failure that does not count.
 */
final class JunitReport {
    private final XMLStreamWriter xml;
    private final Catalogue catalogue;
    private final RunReport report;

    private JunitReport(XMLStreamWriter xml, Catalogue catalogue, RunReport report) {
        this.xml = xml;
        this.catalogue = catalogue;
        this.report = report;
    }

    static void write(RunReport report, Catalogue catalogue, Writer to) throws IOException {
        try {
            XMLStreamWriter xml = XMLOutputFactory.newFactory().createXMLStreamWriter(to);
            new JunitReport(xml, catalogue, report).write();
            xml.flush();
            to.write('\n');
        } catch (XMLStreamException e) {
            throw new IOException("the report can't be written: " + e.getMessage(), e);
        }
    }

    private void write() throws XMLStreamException {
        Map<String, List<CheckResult>> groups = new LinkedHashMap<>();
        for (CheckResult result : report.results()) {
            groups.computeIfAbsent(group(result.check().requirement()), group -> new ArrayList<>())
                    .add(result);
        }
        xml.writeStartDocument("UTF-8", "1.0");
        xml.writeCharacters("\n");
        xml.writeStartElement("testsuites");
        xml.writeAttribute("name", "exomem conform: " + report.subject());
        counts(report.results());
        for (Map.Entry<String, List<CheckResult>> group : groups.entrySet()) {
            xml.writeCharacters("\n");
            xml.writeStartElement("testsuite");
            xml.writeAttribute("name", group.getKey());
            xml.writeAttribute("timestamp", report.begin().toString());
            counts(group.getValue());
            for (CheckResult result : group.getValue()) {
                testCase(result, group.getKey());
            }
            xml.writeEndElement();
        }
        xml.writeEndElement();
        xml.writeEndDocument();
    }

    private static String group(String requirement) {
        int dot = requirement.lastIndexOf('.');
        return dot < 0 ? requirement : requirement.substring(0, dot);
    }

    private void counts(List<CheckResult> results) throws XMLStreamException {
        xml.writeAttribute("tests", String.valueOf(results.size()));
        xml.writeAttribute("failures", count(results, this::isFailure));
        xml.writeAttribute("errors", count(results, result -> isNews(result, Verdict.ERROR)));
        xml.writeAttribute(
                "skipped", count(results, result -> result.verdict() == Verdict.SKIP || report.isKnown(result)));
        xml.writeAttribute(
                "time",
                Told.seconds(results.stream().mapToLong(CheckResult::nanos).sum()));
    }

    private boolean isFailure(CheckResult result) {
        return isNews(result, Verdict.FAIL) || isNews(result, Verdict.HANG);
    }

    private boolean isNews(CheckResult result, Verdict verdict) {
        return result.verdict() == verdict && report.isNews(result);
    }

    private static String count(List<CheckResult> results, Predicate<CheckResult> which) {
        return String.valueOf(results.stream().filter(which).count());
    }

    private void testCase(CheckResult result, String group) throws XMLStreamException {
        xml.writeCharacters("\n  ");
        xml.writeStartElement("testcase");
        xml.writeAttribute("classname", group);
        xml.writeAttribute("name", xmlText(result.check().toString()));
        xml.writeAttribute("time", Told.seconds(result.nanos()));
        if (report.isKnown(result)) {
            element("skipped", "known failure: " + result.verdict() + ": " + result.message(), "");
        } else {
            switch (result.verdict()) {
                case PASS -> {}
                case REFUSED -> element("system-out", null, result.message());
                case SKIP -> element("skipped", result.message(), "");
                case FAIL, HANG -> element("failure", result.verdict() + ": " + result.message(), details(result));
                case ERROR -> element("error", result.message(), details(result));
            }
        }
        xml.writeEndElement();
    }

    private void element(String name, @Nullable String message, String content) throws XMLStreamException {
        xml.writeStartElement(name);
        if (message != null) {
            xml.writeAttribute("message", xmlText(message));
        }
        xml.writeCharacters(xmlText(content));
        xml.writeEndElement();
    }

    private String details(CheckResult result) {
        return Told.requirement(catalogue, result.check().requirement()) + "\n"
                + result.transcript().stream().map(Told::line).collect(Collectors.joining("\n"));
    }

    /** Removes the characters that XML 1.0 can't represent; a back-end may have written them. */
    private static String xmlText(String text) {
        return text.replaceAll("[^\\x09\\x0a\\x0d\\x20-\\ud7ff\\ue000-\\ufffd]", "\ufffd");
    }
}
