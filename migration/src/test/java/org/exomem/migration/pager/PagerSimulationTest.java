package org.exomem.migration.pager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.exomem.migration.pager.PagerSimulation.Mutant;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Pagers of tiny guests under all kinds of interleavings, one for each seed. {@code -Dexomem.pager.simulation.seed=N}
 * runs one seed, {@code -Dexomem.pager.simulation.runs=N} a number of seeds other than ten thousand.
 */
class PagerSimulationTest {
    private static final long RUNS = Long.getLong("exomem.pager.simulation.runs", 10_000);
    private static final long MUTANT_RUNS = 20_000;

    private static @Nullable Throwable failure(long seed, Mutant mutant) {
        try {
            new PagerSimulation(seed, mutant).run();
            return null;
        } catch (AssertionError | RuntimeException | IOException e) {
            return e;
        }
    }

    @Test
    @Tag("PGR-OWED-1")
    @Tag("PGR-OWED-2")
    @Tag("PGR-SOURCE-1")
    @Tag("PGR-ZERO-1")
    @Tag("PGR-PLACE-1")
    @Tag("PGR-AGAIN-1")
    @Tag("PGR-STALL-1")
    void everyPageHoldsWhatItMustAndNobodyWaitsForEver() {
        Long wanted = Long.getLong("exomem.pager.simulation.seed");
        AtomicLong faults = new AtomicLong();
        AtomicLong prefetched = new AtomicLong();
        AtomicLong kills = new AtomicLong();
        (wanted == null ? LongStream.range(0, RUNS) : LongStream.of(wanted))
                .parallel()
                .forEach(seed -> {
                    try {
                        PagerSimulation simulation = new PagerSimulation(seed, Mutant.NONE);
                        simulation.run();
                        faults.addAndGet(simulation.faults());
                        prefetched.addAndGet(simulation.prefetched());
                        kills.addAndGet(simulation.kills());
                    } catch (AssertionError | RuntimeException | IOException e) {
                        throw new AssertionError("-Dexomem.pager.simulation.seed=" + seed + ": " + e.getMessage(), e);
                    }
                });
        if (wanted == null) {
            // The result means little if no faults happened.
            assertThat(faults.get()).isGreaterThan(RUNS);
            assertThat(prefetched.get()).isGreaterThan(RUNS);
            assertThat(kills.get()).isGreaterThan(RUNS / 10);
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    @Tag("PGR-ORDER-2")
    void aRuleThatIsBrokenIsNoticed(Mutant mutant) {
        for (long seed = 0; seed < MUTANT_RUNS; seed++) {
            if (failure(seed, mutant) instanceof AssertionError) {
                return;
            }
        }
        fail("none of %s schedules noticed %s", MUTANT_RUNS, mutant);
    }
}
