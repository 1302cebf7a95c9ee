package org.exomem.fuzz;

import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.exomem.fuzz.FuzzRun.Folders;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code exomem fuzz}: runs harnesses under the fuzzer, or one harness with the input in a file. */
@Command(
        name = "exomem fuzz",
        description = {
            "Runs a coverage-guided fuzzer on the code that reads untrusted input, and checks properties of the results."
                    + " Runs all targets, one after the other, or the named ones.",
            "",
            "Inputs that reach new code are kept in tests/fuzz/target/corpus, and the next run starts with them. A finding is kept in"
                    + " tests/fuzz/target/findings."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:no finding", "1:a finding", "2:usage error"})
final class Fuzz implements Callable<Integer> {
    private static final Pattern TIME = Pattern.compile("(\\d{1,6})(s|m|h)");
    private static final Duration LEAST = Duration.ofSeconds(1);
    /** How often progress is shown if lines can't be overwritten. */
    private static final Duration SELDOM = Duration.ofSeconds(30);

    private static final Duration OFTEN = Duration.ofMillis(200);

    @Parameters(arity = "0..*", paramLabel = "TARGET", description = "the targets to fuzz; default: all")
    private List<String> names = new ArrayList<>();

    @Option(
            names = "--time",
            paramLabel = "TIME",
            defaultValue = "1m",
            description = "how long to fuzz each target, for example 30s, 10m or 8h; default: 1m")
    private String time = "1m";

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "the fuzzer's seed, to repeat the same inputs; default: a new seed for each run")
    private int seed;

    @Option(names = "--replay", paramLabel = "FILE", description = "runs only the input in this file, on one target")
    private @Nullable Path replay;

    @Option(
            names = "--keep",
            description =
                    "instead of fuzzing, adds the inputs that reach new code to the corpus of the repository, and minimizes"
                            + " the corpus")
    private boolean keep;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "shows this help")
    @SuppressWarnings("UnusedVariable") // picocli reads it
    private boolean help;

    @Spec
    private CommandSpec spec;

    private final Path home =
            Path.of(System.getProperty("exomem.fuzz.home", "tests/fuzz")).toAbsolutePath();
    private long shown;

    public static void main(String[] arguments) {
        CommandLine command = new CommandLine(new Fuzz());
        command.getCommandSpec()
                .usageMessage()
                .footer(Arrays.stream(Target.values())
                        .map(target -> String.format(Locale.ROOT, "  %-12s %s", target.id(), target.what()))
                        .collect(Collectors.joining("%n", "%nTargets:%n", "")));
        System.exit(command.execute(arguments));
    }

    @Override
    public Integer call() throws IOException {
        List<Target> targets = targets();
        if (replay != null) {
            if (targets.size() != 1 || names.isEmpty()) {
                throw wrong("--replay requires exactly one target");
            }
            return replay(targets.getFirst(), replay);
        }
        Duration each = duration();
        boolean clean = true;
        long inputs = 0;
        for (Target target : targets) {
            Folders folders = Folders.of(home, target.id());
            FuzzRun run = new FuzzRun(target, folders);
            FuzzRun.Result result = keep ? run.minimize() : run.fuzz(each, seed, output -> show(target, output));
            clean &= result.isClean();
            inputs += result.output().inputs();
            tell(target, result, folders);
        }
        if (!keep && targets.size() > 1) {
            System.out.printf(Locale.ROOT, "%,d inputs on %d targets%n", inputs, targets.size());
        }
        return clean ? 0 : 1;
    }

    private List<Target> targets() {
        if (names.isEmpty()) {
            return List.of(Target.values());
        }
        List<Target> targets = new ArrayList<>();
        for (String name : names) {
            targets.add(Target.of(name)
                    .orElseThrow(() -> wrong("\"" + name + "\" is not a target; targets are "
                            + Arrays.stream(Target.values()).map(Target::id).collect(Collectors.joining(", ")))));
        }
        return targets;
    }

    private Duration duration() {
        Matcher matcher = TIME.matcher(time);
        if (!matcher.matches()) {
            throw wrong("\"" + time + "\" is not a time, for example 30s, 10m or 8h");
        }
        long number = Long.parseLong(matcher.group(1));
        Duration duration = switch (matcher.group(2)) {
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            default -> Duration.ofHours(number);
        };
        if (duration.compareTo(LEAST) < 0) {
            throw wrong("the time must be greater than 0");
        }
        return duration;
    }

    private ParameterException wrong(String what) {
        return new ParameterException(spec.commandLine(), what);
    }

    private static int replay(Target target, Path file) throws IOException {
        byte[] input = Files.readAllBytes(file);
        try {
            target.harness().fuzzerTestOneInput(input);
        } catch (Throwable e) {
            e.printStackTrace();
            return 1;
        }
        System.out.println(target.id() + ": no finding with this input");
        return 0;
    }

    private void show(Target target, FuzzerOutput output) {
        boolean terminal = isTerminal();
        long now = System.nanoTime();
        if (now - shown < (terminal ? OFTEN : SELDOM).toNanos()) {
            return;
        }
        shown = now;
        String line = String.format(
                Locale.ROOT, "%-12s %,15d inputs, coverage %,d", target.id(), output.inputs(), output.coverage());
        System.err.print(terminal ? "\r" + line : line + "\n");
    }

    @SuppressWarnings("SystemConsoleNull") // null is possible with -Djdk.console=java.base
    private static boolean isTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    private void tell(Target target, FuzzRun.Result result, Folders folders) throws IOException {
        if (isTerminal()) {
            System.err.print("\r\033[K");
        }
        FuzzerOutput output = result.output();
        if (keep) {
            try (var files = Files.list(folders.corpus())) {
                System.out.printf(Locale.ROOT, "%-12s %d inputs in its corpus%n", target.id(), files.count());
            }
        } else {
            double seconds = Math.max(1, result.time().toMillis()) / 1000.0;
            System.out.printf(
                    Locale.ROOT,
                    "%-12s %,15d inputs in %,.0f s, %,.0f/s, coverage %,d, %s%n",
                    target.id(),
                    output.inputs(),
                    seconds,
                    output.inputs() / seconds,
                    output.coverage(),
                    result.isClean() ? "no finding" : "FINDING");
        }
        if (!result.isClean()) {
            tellFinding(target, result);
        }
    }

    private static void tellFinding(Target target, FuzzRun.Result result) {
        Optional<String> finding = result.output().finding();
        Optional<Path> file = result.output().file();
        System.out.println("  " + finding.orElse("the fuzzer ended with exit code " + result.exitCode()));
        if (finding.isEmpty() || file.isEmpty()) {
            result.lastLines().forEach(line -> System.out.println("  | " + line));
        }
        file.ifPresent(
                input -> System.out.println("  to repeat it: ./exomem fuzz " + target.id() + " --replay " + input));
        // For machines on which the file is lost at the end, as in CI.
        result.lastLines().stream()
                .filter(line -> line.startsWith("Base64:"))
                .forEach(line -> System.out.println("  " + line));
    }
}
