package org.exomem.benchmarks;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The parts in one process, by JMH: how long each takes, and that none of them allocates. */
@Command(
        name = "micro",
        mixinStandardHelpOptions = true,
        description = "The parts on the way from a kick to a used entry, by JMH, and what they allocate.")
final class Micro extends Benchmark {
    /**
     * Bytes an operation. The smallest object has 16; below that is what the runner allocates for itself in each iteration,
     * spread over its operations.
     */
    private static final double NOTHING = 2;

    private static final String PACKAGE = "org.exomem.benchmarks.micro.";
    private static final String ALLOCATED = "gc.alloc.rate.norm";

    @Parameters(arity = "0..*", paramLabel = "REGEX", description = "Which benchmarks. Default: all")
    private List<String> wanted = List.of(".*");

    @Option(names = "--millis", description = "Length of an iteration. Default: ${DEFAULT-VALUE}")
    private int millis = 1000;

    @Option(names = "--iterations", description = "Iterations, and as many before. Default: ${DEFAULT-VALUE}")
    private int iterations = 5;

    @Option(names = "--forks", description = "JVMs one after the other; 0: in this one. Default: ${DEFAULT-VALUE}")
    private int forks = 1;

    @Override
    List<Figure> measure() {
        ChainedOptionsBuilder options = new OptionsBuilder()
                .forks(forks)
                .warmupIterations(iterations)
                .measurementIterations(iterations)
                .warmupTime(TimeValue.milliseconds(millis))
                .measurementTime(TimeValue.milliseconds(millis))
                .addProfiler(GCProfiler.class)
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT);
        wanted.forEach(regex -> options.include(PACKAGE + regex));
        try {
            List<Figure> figures = new ArrayList<>();
            new Runner(options.build()).run().forEach(result -> figures.addAll(figures(result)));
            return figures;
        } catch (RunnerException e) {
            throw new IllegalStateException("JMH failed: " + e.getMessage(), e);
        }
    }

    private static List<Figure> figures(RunResult run) {
        String method = run.getParams().getBenchmark().substring(PACKAGE.length());
        Collection<String> keys = run.getParams().getParamsKeys();
        String name = method
                + keys.stream()
                        .map(key -> " " + key + "=" + run.getParams().getParam(key))
                        .collect(Collectors.joining());
        Result<?> time = run.getPrimaryResult();
        Result<?> allocated = run.getSecondaryResults().get(ALLOCATED);
        List<Figure> figures = new ArrayList<>(List.of(Figure.of(name, time.getScore(), time.getScoreUnit())));
        if (allocated != null) {
            figures.add(Figure.of("  allocated", allocated.getScore(), allocated.getScoreUnit())
                    .atMost(NOTHING));
        }
        return figures;
    }
}
