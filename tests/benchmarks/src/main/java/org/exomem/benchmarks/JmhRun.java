package org.exomem.benchmarks;

import java.util.Collection;
import java.util.List;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import picocli.CommandLine.Option;

/** JMH's settings as options of a command; with the GC profiler. */
final class JmhRun {
    private static final String PACKAGE = "org.exomem.benchmarks.micro.";

    @Option(names = "--millis", description = "Length of an iteration. Default: ${DEFAULT-VALUE}")
    private int millis = 1000;

    @Option(names = "--iterations", description = "Iterations, and as many for warm-up. Default: ${DEFAULT-VALUE}")
    private int iterations = 5;

    @Option(names = "--forks", description = "JVMs, one after the other; 0: in this JVM. Default: ${DEFAULT-VALUE}")
    private int forks = 1;

    /** @param wanted regular expressions for names without the package */
    Collection<RunResult> of(List<String> wanted) {
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
            return new Runner(options.build()).run();
        } catch (RunnerException e) {
            throw new IllegalStateException("JMH failed: " + e.getMessage(), e);
        }
    }

    /** The name without the package. */
    static String nameOf(RunResult result) {
        return result.getParams().getBenchmark().substring(PACKAGE.length());
    }
}
