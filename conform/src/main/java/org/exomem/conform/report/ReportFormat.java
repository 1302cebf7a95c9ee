package org.exomem.conform.report;

import java.io.IOException;
import java.io.Writer;
import java.util.Locale;
import java.util.Optional;
import org.exomem.conform.run.RunReport;
import org.exomem.reference.Catalogue;

/** The forms of a report. A user types the name in lower case. */
public enum ReportFormat {
    /** JUnit's XML: a test case for each check, in a suite for each group of requirements. */
    JUNIT(JunitReport::write),
    /** The whole report, for programs. */
    JSON(JsonReport::write),
    /** A single file for a browser, without references to others. */
    HTML(HtmlReport::write),
    /** Test Anything Protocol, version 14. */
    TAP(TapReport::write);

    private final Form form;

    ReportFormat(Form form) {
        this.form = form;
    }

    @FunctionalInterface
    private interface Form {
        void write(RunReport report, Catalogue catalogue, Writer to) throws IOException;
    }

    /** Returns the format with that name; empty if there is none. */
    public static Optional<ReportFormat> of(String name) {
        for (ReportFormat format : values()) {
            if (format.toString().equals(name.toLowerCase(Locale.ROOT))) {
                return Optional.of(format);
            }
        }
        return Optional.empty();
    }

    /** Writes a report. Does not close {@code to}. */
    public void write(RunReport report, Catalogue catalogue, Writer to) throws IOException {
        form.write(report, catalogue, to);
        to.flush();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
