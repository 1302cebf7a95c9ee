package org.exomem.backend.health;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.exomem.backend.migrate.Direction;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.migrate.Status;

/** Finds migrations that make no progress, by comparing them with earlier states. Safe for use by several threads. */
final class MigrationProgress {
    /** A slow network does not explain a standstill of this length. */
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final Map<String, Seen> before = new HashMap<>();

    /** @param since when this state was first seen, by {@link System#nanoTime} */
    private record Seen(Status status, long sent, long owed, long since) {}

    /**
     * Compares the present states.
     *
     * @param now the time, by {@link System#nanoTime}
     */
    synchronized List<Problem> problems(List<MigrationState> states, long now) {
        before.keySet()
                .removeIf(vm -> states.stream().noneMatch(state -> state.vm().equals(vm)));
        List<Problem> problems = new ArrayList<>();
        for (MigrationState state : states) {
            look(state, now, problems);
        }
        return problems;
    }

    private void look(MigrationState state, long now, List<Problem> problems) {
        String cancel = "\"exomem migrate " + state.vm() + " --cancel\" ends it, and the guest continues on the source";
        long owed = state.progress().map(progress -> progress.owedBytes()).orElse(0L);
        Seen seen = before.get(state.vm());
        if (seen == null || seen.status() != state.status() || seen.sent() != state.sent() || seen.owed() != owed) {
            seen = new Seen(state.status(), state.sent(), owed, now);
            before.put(state.vm(), seen);
        }
        boolean stands = now - seen.since() > LIMIT.toNanos();
        switch (state.status()) {
            case RECONNECTING ->
                problems.add(Problem.warning(
                        state.vm(), "", "its migration lost the connection to " + state.peer(), cancel));
            case ACTIVE -> {
                if (stands && state.direction() != Direction.INCOMING) {
                    problems.add(standing(state, cancel));
                }
            }
            case DEVICE -> {
                if (stands) {
                    problems.add(Problem.critical(
                            state.vm(),
                            "",
                            "a migration has paused its guest for more than " + LIMIT.toSeconds() + " s",
                            cancel));
                }
            }
            case SETUP, COMPLETED, FAILED, CANCELLED -> {}
        }
    }

    private static Problem standing(MigrationState state, String cancel) {
        return Problem.warning(
                state.vm(),
                "",
                "its migration to " + state.peer() + " has made no progress for " + LIMIT.toSeconds() + " s",
                "check that the other end still runs, and check the network between both; " + cancel);
    }
}
