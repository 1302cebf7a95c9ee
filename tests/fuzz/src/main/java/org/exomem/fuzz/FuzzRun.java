package org.exomem.fuzz;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A run of the fuzzer on one harness, in a JVM of its own, because Jazzer's instrumentation and libFuzzer affect a
 * whole process.
 */
final class FuzzRun {
    /** The folders of the inputs. */
    record Folders(Path corpus, Path found, Path findings) {
        /**
         * @param home of the module
         * @param id of the target
         */
        static Folders of(Path home, String id) {
            return new Folders(
                    home.resolve("corpus").resolve(id),
                    home.resolve("target/corpus").resolve(id),
                    home.resolve("target/findings").resolve(id));
        }

        void make() throws IOException {
            Files.createDirectories(corpus);
            Files.createDirectories(found);
            Files.createDirectories(findings);
        }
    }

    /**
     * The result of a run.
     *
     * @param output what was tried and found
     * @param time the duration
     * @param exitCode of the fuzzer; 0 if it ran to its end
     * @param lastLines the end of its output
     */
    record Result(FuzzerOutput output, Duration time, int exitCode, List<String> lastLines) {
        boolean isClean() {
            return exitCode == 0 && output.finding().isEmpty();
        }
    }

    private static final String JAZZER = "com.code_intelligence.jazzer.Jazzer";
    /** An input that takes longer than this is a finding. */
    private static final int MOST_SECONDS = 30;

    private static final int LAST_LINES = 60;

    private final Class<?> harness;
    private final String instrumented;
    private final int mostBytes;
    private final Folders folders;

    FuzzRun(Target target, Folders folders) {
        this(target.type(), target.instrumented(), target.mostBytes(), folders);
    }

    FuzzRun(Class<?> harness, String instrumented, int mostBytes, Folders folders) {
        this.harness = harness;
        this.instrumented = instrumented;
        this.mostBytes = mostBytes;
        this.folders = folders;
    }

    /**
     * Fuzzes for a duration, or up to the first finding.
     *
     * @param seed the same seed gives the same inputs in the same order; 0 for a random one
     */
    Result fuzz(Duration time, int seed, Consumer<FuzzerOutput> progress) throws IOException {
        folders.make();
        return run(
                List.of(
                        "-max_total_time=" + time.toSeconds(),
                        "-seed=" + seed,
                        folders.found.toString(),
                        folders.corpus.toString()),
                progress);
    }

    /**
     * Minimises the corpus of the repository. The result reaches all code that the corpus and the inputs found so far
     * reach together.
     */
    Result minimize() throws IOException {
        folders.make();
        Path smaller = Files.createTempDirectory(folders.findings, "merge");
        Result result = run(
                List.of("-merge=1", smaller.toString(), folders.corpus.toString(), folders.found.toString()),
                output -> {});
        if (result.isClean()) {
            removeWhatReachesCode(folders.corpus);
            try (Stream<Path> inputs = Files.list(smaller)) {
                for (Path input : inputs.toList()) {
                    Files.move(input, folders.corpus.resolve(input.getFileName()), StandardCopyOption.REPLACE_EXISTING);
                }
            }
            Files.delete(smaller);
        }
        return result;
    }

    /**
     * Deletes all inputs except earlier findings, which libFuzzer names crash-… or timeout-…: they stay, whatever code
     * they reach.
     */
    private static void removeWhatReachesCode(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                if (!file.getFileName().toString().contains("-")) {
                    Files.delete(file);
                }
            }
        }
    }

    private Result run(List<String> arguments, Consumer<FuzzerOutput> progress) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xmx1g",
                "-XX:+EnableDynamicAgentLoading",
                "-Xlog:disable",
                "-Xlog:all=error:stderr",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                JAZZER,
                "--target_class=" + harness.getName(),
                "--instrumentation_includes=" + instrumented,
                // Jazzer's own detectors are for web applications.
                "--custom_hook_includes=none.**",
                // libFuzzer's mutator is faster, and the inputs have no structure that Jazzer's mutator knows.
                "--mutator_framework=false",
                "--reproducer_path=" + folders.findings,
                "-artifact_prefix=" + folders.findings + "/",
                "-print_final_stats=1",
                "-timeout=" + MOST_SECONDS,
                "-rss_limit_mb=0",
                "-max_len=" + mostBytes));
        command.addAll(arguments);
        long begin = System.nanoTime();
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        Thread end = new Thread(process::destroy);
        Runtime.getRuntime().addShutdownHook(end);
        FuzzerOutput output = new FuzzerOutput();
        List<String> last = new ArrayList<>();
        try (BufferedReader reader = process.inputReader(StandardCharsets.ISO_8859_1)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                output.line(line);
                if (last.size() == LAST_LINES) {
                    last.removeFirst();
                }
                last.add(line);
                progress.accept(output);
            }
            int exitCode = process.waitFor();
            return new Result(output, Duration.ofNanos(System.nanoTime() - begin), exitCode, last);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while fuzzing", e);
        } finally {
            process.destroy();
            try {
                Runtime.getRuntime().removeShutdownHook(end);
            } catch (IllegalStateException e) {
                // This JVM is ending, and the hook runs.
            }
        }
    }
}
