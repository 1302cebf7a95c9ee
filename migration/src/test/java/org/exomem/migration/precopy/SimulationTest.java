package org.exomem.migration.precopy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import org.exomem.migration.Fate;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Migrations of tiny guests under all kinds of interleavings, one for each seed. {@code -Dexomem.simulation.seed=N} runs one
 * seed and shows what happened, {@code -Dexomem.simulation.runs=N} another number of them.
 */
class SimulationTest {
    /** As many find each rule that is broken on purpose. */
    private static final long MUTANT_RUNS = 400_000;

    private static final long RUNS = Long.getLong("exomem.simulation.runs", MUTANT_RUNS);

    private static @Nullable Throwable failure(long seed, Mutant mutant) {
        try {
            new Simulation(seed, mutant).run();
            return null;
        } catch (AssertionError | RuntimeException | IOException e) {
            return e;
        }
    }

    private static AssertionError explained(long seed) {
        try {
            new Simulation(seed, Mutant.NONE).traced().run();
            return new AssertionError("seed " + seed + " failed once and not again");
        } catch (AssertionError | RuntimeException | IOException e) {
            return new AssertionError("-Dexomem.simulation.seed=" + seed + ": " + e.getMessage(), e);
        }
    }

    @Test
    @Tag("MIG-DIRTY-1")
    @Tag("MIG-DIRTY-2")
    @Tag("MIG-DIRTY-5")
    @Tag("MIG-DIRTY-7")
    @Tag("MIG-ROUND-1")
    @Tag("MIG-ROUND-3")
    @Tag("MIG-ROUND-4")
    @Tag("MIG-CUT-3")
    @Tag("MIG-CUT-4")
    @Tag("MIG-CUT-5")
    @Tag("MIG-STATE-1")
    @Tag("MIG-HOLE-1")
    @Tag("MIG-HOLE-2")
    @Tag("FPB-BIT-1")
    @Tag("FPB-BIT-4")
    @Tag("MIG-SETTLE-1")
    @Tag("MIG-SETTLE-3")
    @Tag("MIG-POST-1")
    @Tag("MIG-POST-2")
    @Tag("MIG-POST-3")
    @Tag("FPB-DESC-5")
    @Tag("FPB-DESC-6")
    void noScheduleLosesAPageThatAnybodyNeeds() throws IOException {
        Long wanted = Long.getLong("exomem.simulation.seed");
        if (wanted != null) {
            if (failure(wanted, Mutant.NONE) != null) {
                throw explained(wanted);
            }
            return;
        }
        AtomicReference<@Nullable AssertionError> failed = new AtomicReference<>();
        AtomicLongArray outcomes = new AtomicLongArray(Simulation.Outcome.values().length);
        AtomicLongArray fates = new AtomicLongArray(Fate.values().length);
        AtomicLong resent = new AtomicLong();
        AtomicLong unchanged = new AtomicLong();
        AtomicLong reconnections = new AtomicLong();
        AtomicLong owed = new AtomicLong();
        LongStream.range(0, RUNS).parallel().forEach(seed -> {
            if (failed.get() != null) {
                return;
            }
            try {
                Simulation simulation = new Simulation(seed, Mutant.NONE);
                outcomes.incrementAndGet(simulation.run().ordinal());
                Report report = simulation.report;
                if (report != null) {
                    report.pages().forEach((fate, pages) -> fates.addAndGet(fate.ordinal(), pages));
                    resent.addAndGet(report.resent());
                    unchanged.addAndGet(report.unchanged());
                    reconnections.addAndGet(simulation.reconnections);
                    owed.addAndGet(simulation.owed);
                }
            } catch (AssertionError | RuntimeException | IOException e) {
                failed.compareAndSet(null, explained(seed));
            }
        });
        if (failed.get() != null) {
            throw failed.get();
        }
        // That nothing is lost means little if nothing ever happens.
        for (Simulation.Outcome outcome : Simulation.Outcome.values()) {
            assertThat(outcomes.get(outcome.ordinal())).as(outcome.name()).isGreaterThan(RUNS / 50);
        }
        for (Fate fate : Fate.values()) {
            assertThat(fates.get(fate.ordinal())).as(fate.name()).isGreaterThan(RUNS / 50);
        }
        assertThat(resent.get()).isGreaterThan(RUNS / 50);
        assertThat(unchanged.get()).isGreaterThan(RUNS / 50);
        assertThat(reconnections.get()).isGreaterThan(RUNS / 10);
        assertThat(owed.get()).isGreaterThan(RUNS / 10);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    @Tag("MIG-HINT-1")
    @Tag("MIG-HINT-2")
    @Tag("MIG-HINT-3")
    @Tag("MIG-HINT-5")
    @Tag("MIG-ROUND-2")
    @Tag("MIG-ROUND-5")
    @Tag("MIG-DIRTY-3")
    @Tag("MIG-DIRTY-6")
    @Tag("MIG-DIRTY-8")
    @Tag("MIG-STATE-2")
    @Tag("MIG-STATE-3")
    @Tag("MIG-STATE-5")
    @Tag("MIG-SKIP-2")
    @Tag("MIG-CUT-1")
    @Tag("MIG-CUT-2")
    @Tag("MIG-SETTLE-2")
    @Tag("FPB-DESC-2")
    @Tag("FPB-DESC-3")
    @Tag("FPB-DESC-4")
    void aRuleThatIsBrokenIsNoticed(Mutant mutant) {
        for (long seed = 0; seed < MUTANT_RUNS; seed++) {
            if (failure(seed, mutant) instanceof AssertionError) {
                return;
            }
        }
        fail("none of %s schedules lost a page with %s", MUTANT_RUNS, mutant);
    }

    @Test
    void aSeedIsTheSameScheduleEachTime() throws IOException {
        for (long seed = 0; seed < 1000; seed++) {
            Simulation first = new Simulation(seed, Mutant.NONE);
            Simulation second = new Simulation(seed, Mutant.NONE);
            assertThat(first.run()).isEqualTo(second.run());
            assertThat(first.report).isEqualTo(second.report);
        }
    }
}
