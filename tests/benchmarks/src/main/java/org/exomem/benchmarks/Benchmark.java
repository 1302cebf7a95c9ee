package org.exomem.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A measurement as a command. Its options are sizes. The targets of the figures hold for the defaults. */
abstract class Benchmark implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    @Spec
    private CommandSpec spec;

    @Option(names = "--results", paramLabel = "FOLDER", description = "The folder for the JSON results.")
    private Path results = Path.of(System.getProperty("exomem.results", "target/results"));

    private record Result(String benchmark, Machine machine, List<Figure> figures) {}

    /** Measures, and reports its progress with {@link #say}. */
    abstract List<Figure> measure() throws IOException;

    @Override
    public final Integer call() throws IOException {
        Machine machine = Machine.now();
        say(spec.name() + " on " + machine);
        List<Figure> figures = measure();
        PrintWriter out = spec.commandLine().getOut();
        figures.forEach(figure -> out.println(figure.row()));
        out.flush();
        Files.createDirectories(results);
        JSON.writeValue(results.resolve(spec.name() + ".json").toFile(), new Result(spec.name(), machine, figures));
        return figures.stream().anyMatch(Figure::isMissed) ? 1 : 0;
    }

    final void say(String line) {
        spec.commandLine().getErr().println(line);
        spec.commandLine().getErr().flush();
    }
}
