package org.exomem.fuzz;

import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The output of Jazzer, and of libFuzzer in it: progress and findings. */
final class FuzzerOutput {
    private static final Pattern PROGRESS = Pattern.compile("#(\\d+)\\s+\\S+.*?cov: (\\d+) .*");
    private static final Pattern COUNT = Pattern.compile("stat::number_of_executed_units:\\s*(\\d+)");
    private static final Pattern THROWN = Pattern.compile("== Java Exception: (.*)");
    private static final Pattern FAILED = Pattern.compile("==\\d+== ?ERROR: libFuzzer: (.*)");
    private static final Pattern WRITTEN = Pattern.compile(".*Test unit written to (.*)");

    private long inputs;
    private long coverage;
    private @Nullable String finding;
    private @Nullable Path file;

    /** Takes the next line. */
    void line(String line) {
        Matcher matcher = PROGRESS.matcher(line);
        if (matcher.matches()) {
            inputs = Math.max(inputs, Long.parseLong(matcher.group(1)));
            coverage = Long.parseLong(matcher.group(2));
            return;
        }
        matcher = COUNT.matcher(line);
        if (matcher.matches()) {
            inputs = Math.max(inputs, Long.parseLong(matcher.group(1)));
            return;
        }
        matcher = THROWN.matcher(line);
        if (!matcher.matches()) {
            matcher = FAILED.matcher(line);
        }
        if (matcher.matches()) {
            finding = finding == null ? matcher.group(1) : finding;
            return;
        }
        matcher = WRITTEN.matcher(line);
        if (matcher.matches()) {
            file = Path.of(matcher.group(1).strip());
        }
    }

    /** The number of inputs that were tried so far. */
    long inputs() {
        return inputs;
    }

    /** The number of control-flow edges that were reached. */
    long coverage() {
        return coverage;
    }

    /** The finding; empty if there is none. */
    Optional<String> finding() {
        return Optional.ofNullable(finding);
    }

    /** The file with the input of the finding. */
    Optional<Path> file() {
        return Optional.ofNullable(file);
    }
}
