package org.exomem.migration.stream.destination;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** A short run of the fuzzer; its own main makes long ones. */
class FuzzDecoderTest {
    private static final int STREAMS = 30_000;

    @Test
    void noStreamHarmsTheDestination() {
        long seed = System.nanoTime();
        try (FuzzDecoder fuzz = new FuzzDecoder(seed)) {
            for (long number = 0; number < STREAMS; number++) {
                try {
                    fuzz.stream(number);
                } catch (RuntimeException | AssertionError e) {
                    throw new AssertionError("stream " + number + " of seed " + seed, e);
                }
            }
            assertThat(fuzz.refused()).isPositive();
            assertThat(fuzz.chunks()).isGreaterThan(STREAMS);
        }
    }
}
