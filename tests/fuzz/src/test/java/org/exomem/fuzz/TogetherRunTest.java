package org.exomem.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import org.exomem.fuzz.TogetherRun.Finding;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The short run of the fuzzer in each build. */
class TogetherRunTest {
    private static final Path MODULE = Files.isDirectory(Path.of("corpus")) ? Path.of("") : Path.of("tests/fuzz");
    private static final Duration TIME = Duration.ofSeconds(20);
    /**
     * The smallest number of control-flow edges, of some ten thousand: fewer means that classes are not instrumented.
     */
    private static final int LEAST_COVERAGE = 1000;
    /** The same inputs in the same order each time, so that a change is judged by its own effect. */
    private static final int SEED = 1;

    @TempDir
    Path folder;

    @Test
    void aShortRunOnAllTargetsFindsNothing() throws IOException {
        TogetherRun.Result result = new TogetherRun(MODULE, folder).fuzz(TIME, SEED);
        String said = String.join("\n", result.run().lastLines());
        if (result.finding().isPresent()) {
            fail(howToRepeat(result.finding().get()) + "\n" + said);
        }
        assertThat(result.run().isClean()).as(said).isTrue();
        assertThat(result.run().output().inputs()).as("inputs\n" + said).isPositive();
        assertThat(result.run().output().coverage()).as("coverage\n" + said).isGreaterThan(LEAST_COVERAGE);
    }

    private static String howToRepeat(Finding finding) throws IOException {
        // On a build server the file is lost with the machine.
        return "./exomem fuzz " + finding.target().id() + " --replay "
                + finding.file().toAbsolutePath() + "\nthe input: "
                + Base64.getEncoder().encodeToString(Files.readAllBytes(finding.file()));
    }

    @Test
    void anInputGoesToItsTarget() {
        for (Target target : Target.values()) {
            byte[] input = TogetherFuzz.inputFor(target, new byte[] {1, 2, 3});
            assertThat(TogetherFuzz.target(input)).isEqualTo(target);
            assertThat(TogetherFuzz.input(input)).containsExactly(1, 2, 3);
        }
    }
}
