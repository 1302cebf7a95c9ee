package org.exomem.fuzz;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.fuzz.FuzzRun.Folders;

/**
 * A run on all targets in one process; see {@link TogetherFuzz}. It begins with a part of each corpus. The whole
 * corpora would take most of a short run, and the build tries them all without the fuzzer.
 */
final class TogetherRun {
    /**
     * An input that shows a fault.
     *
     * @param file with the input in the target's form
     */
    record Finding(Target target, Path file) {}

    /** The result of a run. */
    record Result(FuzzRun.Result run, Optional<Finding> finding) {}

    /** The number of inputs from each corpus. */
    private static final int KNOWN = 60;

    private final Path home;
    private final Folders folders;

    /**
     * @param home of the module, with the corpora
     * @param folder for temporary files of this run
     */
    TogetherRun(Path home, Path folder) {
        this.home = home;
        this.folders = Folders.of(folder, "together");
    }

    /**
     * Fuzzes for a duration, or up to the first finding, which is kept in its target's folder for findings.
     *
     * @param time seconds or more; known inputs take a part of it
     * @param seed as for {@link FuzzRun#fuzz}
     */
    Result fuzz(Duration time, int seed) throws IOException {
        folders.make();
        for (Target target : Target.values()) {
            gather(target);
        }
        FuzzRun run = new FuzzRun(TogetherFuzz.class, instrumented(), mostBytes(), folders);
        FuzzRun.Result result = run.fuzz(time, seed, output -> {});
        Optional<Path> file = result.output().file();
        return new Result(result, file.isEmpty() ? Optional.empty() : finding(file.get()));
    }

    private void gather(Target target) throws IOException {
        try (Stream<Path> inputs = Files.list(Folders.of(home, target.id()).corpus())) {
            // The names are digests: the first inputs are as good as any, and the same each time.
            for (Path input : inputs.sorted().limit(KNOWN).toList()) {
                Files.write(
                        folders.corpus().resolve(target.id() + "-" + input.getFileName()),
                        TogetherFuzz.inputFor(target, Files.readAllBytes(input)));
            }
        }
    }

    private Optional<Finding> finding(Path file) throws IOException {
        byte[] input = Files.readAllBytes(file);
        if (input.length == 0) {
            return Optional.empty();
        }
        Target target = TogetherFuzz.target(input);
        Path kept = Folders.of(home, target.id()).findings().resolve(file.getFileName());
        Files.createDirectories(kept.getParent());
        Files.write(kept, TogetherFuzz.input(input));
        return Optional.of(new Finding(target, kept));
    }

    private static String instrumented() {
        return Arrays.stream(Target.values())
                .flatMap(target -> List.of(target.instrumented().split(":", -1)).stream())
                .distinct()
                .collect(Collectors.joining(":"));
    }

    private static int mostBytes() {
        return 1
                + Arrays.stream(Target.values())
                        .mapToInt(Target::mostBytes)
                        .max()
                        .orElseThrow();
    }
}
