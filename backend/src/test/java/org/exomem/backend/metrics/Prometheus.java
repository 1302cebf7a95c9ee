package org.exomem.backend.metrics;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The real Prometheus and its promtool, from the system or from {@code tests/prometheus/setup}. */
final class Prometheus {
    private Prometheus() {}

    /** The result of promtool. */
    record Said(int code, String text) {}

    /** Skips the test if the program is missing; fails it if CI is set. */
    static Path program(String name) {
        Optional<Path> found = Stream.concat(
                        Stream.of(System.getenv("PATH").split(File.pathSeparator, -1))
                                .map(Path::of),
                        Stream.of(cache().resolve("prometheus/bin")))
                .map(folder -> folder.resolve(name))
                .filter(Files::isExecutable)
                .findFirst();
        if (found.isEmpty() && "true".equals(System.getenv("CI"))) {
            throw new AssertionError(name + " is missing: run tests/prometheus/setup");
        }
        assumeTrue(found.isPresent(), name + " is missing: run tests/prometheus/setup");
        return found.get();
    }

    private static Path cache() {
        String named = System.getenv("EXOMEM_CACHE");
        if (named != null) {
            return Path.of(named);
        }
        String base = System.getenv("XDG_CACHE_HOME");
        return (base != null ? Path.of(base) : Path.of(System.getProperty("user.home"), ".cache")).resolve("exomem");
    }

    /** Runs promtool with this input. */
    static Said promtool(String input, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(program("promtool").toString()));
        command.addAll(List.of(arguments));
        Path file = Files.createTempFile("promtool", ".txt");
        try {
            Files.writeString(file, input);
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectInput(file.toFile())
                    .start();
            String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Said(process.waitFor(), text);
        } finally {
            Files.delete(file);
        }
    }
}
