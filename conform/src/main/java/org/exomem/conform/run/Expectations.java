package org.exomem.conform.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Known failures. Each line of a file has one: the id of a requirement, or an id, a colon and the name of one of its
 * checks. The word {@code sometimes} before it marks a failure that does not occur in each run. A number sign begins a
 * comment.
 */
public record Expectations(List<Known> known) {
    /** No failure is known. */
    public static final Expectations NONE = new Expectations(List.of());

    private static final String SOMETIMES = "sometimes ";

    /**
     * One known failure.
     *
     * @param name the id of a requirement, or an id, a colon and the name of a check
     * @param always whether it occurs in each run
     */
    public record Known(String name, boolean always) {
        private static Known parse(String entry) {
            return entry.startsWith(SOMETIMES)
                    ? new Known(entry.substring(SOMETIMES.length()).strip(), false)
                    : new Known(entry, true);
        }

        private boolean covers(CheckResult result) {
            return result.check().toString().equals(name)
                    || result.check().requirements().contains(name);
        }
    }

    public Expectations {
        known = List.copyOf(known);
    }

    /** @throws IOException if the file can't be read */
    public static Expectations read(Path file) throws IOException {
        List<Known> known = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            String entry = line.replaceFirst("(^|\\s)#.*", "").strip();
            if (!entry.isEmpty()) {
                known.add(Known.parse(entry));
            }
        }
        return new Expectations(known);
    }

    /** True if a failure of this check is known. */
    public boolean cover(CheckResult result) {
        return known.stream().anyMatch(each -> each.covers(result));
    }

    /** The known failures that should occur in each run and did not in this one: the check passed, or did not run. */
    public List<String> unneeded(RunReport report) {
        return known.stream()
                .filter(Known::always)
                .filter(each -> report.results().stream()
                        .noneMatch(result -> !result.verdict().isGood() && each.covers(result)))
                .map(Known::name)
                .toList();
    }
}
