package org.exomem.reference.html;

import java.util.List;

/**
 * A run of the conformance runner against one subject.
 *
 * @param subject what was tested
 * @param version its version; empty if unknown
 * @param date the day of the run, as YYYY-MM-DD
 * @param command the line that repeats the run; empty if unknown
 */
public record Run(String subject, String version, String date, String command, List<Result> results) {
    /**
     * The result of one check.
     *
     * @param requirements ids in the catalogue that the check is about; a failure is reported for the first
     * @param check the check's name, a sentence
     * @param message the reason, in a sentence; may be empty
     */
    public record Result(List<String> requirements, String check, Verdict verdict, String message) {
        public Result {
            requirements = List.copyOf(requirements);
        }
    }

    public Run {
        results = List.copyOf(results);
    }

    /** Whether the subject is exomem itself. */
    boolean isOurs() {
        return subject.startsWith("exomem");
    }
}
