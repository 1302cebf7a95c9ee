package org.exomem.conform.broken;

import static java.util.stream.Collectors.toCollection;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.check.Check;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Runner;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.suite.Suite;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each back-end with one fault fails a check of the requirement that it violates. */
class MutationTest {
    private static final Limits LIMITS = new Limits(Duration.ofMillis(1500), Duration.ofMillis(100));
    /** Waits take no processor time, so several tests can wait at once. */
    private static final int AT_ONCE = 6;

    @TempDir
    static Path folder;

    private static final Map<Mutation, Future<List<CheckResult>>> BROKEN = new LinkedHashMap<>();
    private static final List<ExecutorService> WORKERS = new ArrayList<>();

    static Stream<Mutation> mutations() {
        return Mutations.ALL.stream();
    }

    @BeforeAll
    static void begin() {
        ExecutorService workers = Executors.newFixedThreadPool(AT_ONCE);
        WORKERS.add(workers);
        mutations()
                .forEach(mutation -> BROKEN.put(
                        mutation,
                        workers.submit(() -> play(mutation.requirement(), mutation.device(), mutation.tampering()))));
    }

    @AfterAll
    static void end() throws Exception {
        for (ExecutorService workers : WORKERS) {
            workers.shutdownNow();
            workers.awaitTermination(1, TimeUnit.MINUTES);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mutations")
    void isCaughtByItsRequirement(Mutation mutation) throws Exception {
        List<CheckResult> results = Objects.requireNonNull(BROKEN.get(mutation)).get(3, TimeUnit.MINUTES);
        assertThat(results).as("checks that name " + mutation.requirement()).isNotEmpty();
        assertThat(results)
                .withFailMessage(() -> "no check of " + mutation.requirement() + " notices it:\n" + text(results))
                .anyMatch(MutationTest::isBad);
    }

    private static boolean isBad(CheckResult result) {
        return result.verdict() == Verdict.FAIL || result.verdict() == Verdict.HANG;
    }

    @Test
    void eachRequirementWithACheckHasAMutationOrAReason() {
        Set<String> broken = Mutations.ALL.stream().map(Mutation::requirement).collect(toSet());
        Set<String> tried = Suite.all().stream()
                .flatMap(check -> check.requirements().stream())
                .collect(toCollection(TreeSet::new));
        assertThat(tried.stream().filter(id -> !broken.contains(id) && !Unbroken.ALL.containsKey(id)))
                .isEmpty();
        assertThat(Unbroken.ALL.keySet()).doesNotContainAnyElementsOf(broken);
    }

    private static String text(List<CheckResult> results) {
        StringBuilder all = new StringBuilder();
        results.forEach(result -> all.append(TransparentSaboteurTest.text(result)));
        return all.toString();
    }

    /** Runs the checks of a requirement against a back-end behind a saboteur. */
    private static List<CheckResult> play(String requirement, DeviceType device, Supplier<Tampering> tampering)
            throws Exception {
        List<Check> checks = checks(requirement, device);
        if (checks.isEmpty()) {
            return List.of();
        }
        Path own = Files.createTempDirectory(folder, "m");
        try (Victim victim = Victim.of(device, own);
                Saboteur saboteur = new Saboteur(own.resolve("s"), victim.socket(), tampering)) {
            // The runner's own questions before a check are answered rightly; otherwise it would try nothing.
            Runner.Progress arming = new Runner.Progress() {
                @Override
                public void begins(Check check, int number, int of) {
                    saboteur.arm();
                }

                @Override
                public void ended(CheckResult result) {}
            };
            Runner runner = new Runner(new ListeningBackEnd(saboteur.socket()), device, LIMITS, arming);
            List<CheckResult> results = new ArrayList<>();
            for (Check check : checks) {
                // One check that notices it is enough.
                if (results.stream().noneMatch(MutationTest::isBad)) {
                    saboteur.disarm();
                    results.addAll(runner.run(List.of(check)).results());
                }
            }
            return results;
        }
    }

    private static List<Check> checks(String requirement, DeviceType type) {
        return Suite.all().stream()
                .filter(check -> check.requirements().contains(requirement))
                .filter(check -> check.device() == DeviceType.ANY || check.device() == type)
                .toList();
    }
}
