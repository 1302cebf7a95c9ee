package org.exomem.conform.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Failures that are known. A file has one in a line: the id of a requirement, or an id, a colon and the name of one of its
 * checks. What follows a number sign is a comment.
 */
public record Expectations(List<String> entries) {
    /** Nothing is expected to fail. */
    public static final Expectations NONE = new Expectations(List.of());

    public Expectations {
        entries = List.copyOf(entries);
    }

    /** @throws IOException if the file can't be read */
    public static Expectations read(Path file) throws IOException {
        List<String> entries = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            String entry = line.replaceFirst("(^|\\s)#.*", "").strip();
            if (!entry.isEmpty()) {
                entries.add(entry);
            }
        }
        return new Expectations(entries);
    }

    /** True if a failure of this check is known. */
    public boolean cover(CheckResult result) {
        return entries.stream().anyMatch(entry -> isOf(entry, result));
    }

    /** Entries that a run did not need: what they name passed, or was not among the checks. */
    public List<String> unneeded(RunReport report) {
        return entries.stream()
                .filter(entry -> report.results().stream()
                        .noneMatch(result -> !result.verdict().isGood() && isOf(entry, result)))
                .toList();
    }

    private static boolean isOf(String entry, CheckResult result) {
        return result.check().toString().equals(entry)
                || result.check().requirements().contains(entry);
    }
}
