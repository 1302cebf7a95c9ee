package org.exomem.fuzz;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.exomem.fuzz.FuzzRun.Folders;
import org.exomem.fuzz.FuzzRun.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FuzzRunTest {
    @TempDir
    Path home;

    /** Without coverage, because classes could not be instrumented, the fuzzer would not find it. */
    @Test
    void theFuzzerFindsAFaultThatOnlyCoverageLeadsTo() throws IOException {
        Folders folders = Folders.of(home, "planted");
        FuzzRun run = new FuzzRun(Planted.class, "org.exomem.fuzz.Planted", 8, folders);
        Result result = run.fuzz(Duration.ofMinutes(2), 1, output -> {});
        String said = String.join("\n", result.lastLines());
        assertThat(result.isClean()).as(said).isFalse();
        assertThat(result.output().finding()).as(said).contains("org.exomem.fuzz.BrokenRule: planted");
        assertThat(result.output().inputs()).as(said).isPositive();
        assertThat(result.output().file())
                .hasValueSatisfying(file -> assertThat(file)
                        .hasBinaryContent("exom".getBytes(US_ASCII))
                        .hasParent(folders.findings()));
    }
}
