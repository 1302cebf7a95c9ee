package org.exomem.reference.html;

import java.util.List;

/**
 * A run of the conformance runner against one subject.
 *
 * @param subject what was tested
 * @param version its version; empty if it is not known
 * @param date when, as YYYY-MM-DD
 * @param command the line that repeats the run; empty if it is not known
 */
public record Run(String subject, String version, String date, String command, List<Result> results) {
    /**
     * What came out of one check.
     *
     * @param requirements ids in the catalogue that the check is about, the first of which is told of a failure
     * @param check the check's name, a sentence
     * @param message why, in a sentence; empty if there is nothing to say
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
