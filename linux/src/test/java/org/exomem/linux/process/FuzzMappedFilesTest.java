package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/** A short run of the fuzzer; its own main makes long ones. */
class FuzzMappedFilesTest {
    private static final int LISTS = Integer.getInteger("exomem.fuzz", 3_000);

    private final long seed = Long.getLong("exomem.seed", System.nanoTime());

    @Test
    void noListOfMappingsIsTakenForAnother() {
        FuzzMappedFiles fuzz = new FuzzMappedFiles(seed);
        for (long number = 0; number < LISTS; number++) {
            try {
                fuzz.list(number);
            } catch (IOException | RuntimeException | AssertionError e) {
                throw new AssertionError("list " + number + " of -Dexomem.seed=" + seed + ": " + e.getMessage(), e);
            }
        }
        assertThat(fuzz.refused()).isPositive();
    }
}
