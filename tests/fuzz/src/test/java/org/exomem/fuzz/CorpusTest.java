package org.exomem.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertAll;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** All properties hold for every input of the corpus, and for every input that once showed a fault. */
class CorpusTest {
    private static final Path MODULE = Files.isDirectory(Path.of("corpus")) ? Path.of("") : Path.of("tests/fuzz");
    private static final long MOST_BYTES = 1 << 20;

    @ParameterizedTest
    @EnumSource(Target.class)
    void everyInputOfTheCorpusKeepsTheRules(Target target) throws IOException {
        List<Path> inputs = inputs(target);
        assertThat(inputs).as("the corpus of " + target.id()).isNotEmpty();
        List<Executable> tries = new ArrayList<>();
        for (Path input : inputs) {
            tries.add(() -> {
                try {
                    target.harness().fuzzerTestOneInput(Files.readAllBytes(input));
                } catch (Throwable e) {
                    throw new AssertionError(
                            "./exomem fuzz " + target.id() + " --replay " + input.toAbsolutePath() + ": "
                                    + e.getMessage(),
                            e);
                }
            });
        }
        assertAll(tries);
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void theEmptyInputAndTheSimplestOnesKeepTheRules(Target target) throws Exception {
        target.harness().fuzzerTestOneInput(new byte[0]);
        for (int first = 0; first < 256; first++) {
            byte[] input = {(byte) first};
            try {
                target.harness().fuzzerTestOneInput(input);
            } catch (RuntimeException e) {
                throw new AssertionError(
                        target.id() + ", input " + HexFormat.of().formatHex(input), e);
            }
        }
    }

    @Test
    void theCorpusStaysSmall() throws IOException {
        long bytes = 0;
        for (Target target : Target.values()) {
            for (Path input : inputs(target)) {
                bytes += Files.size(input);
            }
        }
        assertThat(bytes).isLessThan(MOST_BYTES);
    }

    private static List<Path> inputs(Target target) throws IOException {
        try (Stream<Path> files = Files.list(MODULE.resolve("corpus").resolve(target.id()))) {
            return files.sorted().toList();
        }
    }
}
