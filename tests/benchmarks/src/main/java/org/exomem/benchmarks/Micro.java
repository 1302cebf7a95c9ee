package org.exomem.benchmarks;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** The parts in one process, by JMH: the time of each, and that none of them allocates. */
@Command(
        name = "micro",
        mixinStandardHelpOptions = true,
        description = "The parts of the path from a kick to a used entry, with JMH, and their allocations.")
final class Micro extends Benchmark {
    /**
     * Bytes an operation that count as no allocation. The smallest object has 16. Less is what the runner itself
     * allocates in each iteration, divided by its operations.
     */
    private static final double NOTHING = 2;

    private static final String ALLOCATED = "gc.alloc.rate.norm";

    @Parameters(arity = "0..*", paramLabel = "REGEX", description = "Which benchmarks. Default: all")
    private List<String> wanted = List.of(".*");

    @Mixin
    private JmhRun jmh = new JmhRun();

    @Override
    List<Figure> measure() {
        List<Figure> figures = new ArrayList<>();
        jmh.of(wanted).forEach(result -> figures.addAll(figures(result)));
        return figures;
    }

    private static List<Figure> figures(RunResult run) {
        String method = JmhRun.nameOf(run);
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
