package org.exomem.conform.explore;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.LongConsumer;
import org.exomem.conform.run.Runner;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;

/** Tries random scripts until the back-end fails at one, and shortens that script. For one thread. */
public final class Explorer {
    /** The largest number of trials while a script is shortened. */
    private static final int MOST_TRIES = 600;

    private final ScriptRun run;
    private final Runner.Found found;

    /**
     * The caller still owns the back-end.
     *
     * @throws IOException if the back-end serves no ordinary session
     */
    public Explorer(BackEnd backEnd, DeviceType type, Limits limits) throws IOException {
        this.found = new Runner(backEnd, type, limits, Runner.Progress.UNWATCHED).look();
        this.run = new ScriptRun(backEnd, limits, found.sample().orElse(null));
        Optional<Finding> before = run.run(new Script(List.of()));
        if (before.isPresent()) {
            throw new IOException("before any script: " + before.get().message());
        }
    }

    /**
     * A script at which the back-end failed.
     *
     * @param seed of the original script
     * @param steps of the script before it was shortened
     */
    public record Discovery(long seed, int steps, Script script, Finding finding) {}

    /**
     * Tries the scripts of successive seeds.
     *
     * @param count the number of seeds
     * @param progress notified of each seed after its trial
     * @return the first script at which the back-end failed, shortened; empty if there was none
     */
    public Optional<Discovery> explore(long seed, long count, LongConsumer progress) {
        for (long each = seed; each < seed + count; each++) {
            Script script = ScriptWriter.write(each, found.offered(), found.offeredProtocol());
            Optional<Finding> finding = run.run(script);
            if (finding.isPresent()) {
                return Optional.of(
                        new Discovery(each, script.steps().size(), shortened(script, finding.get()), finding.get()));
            }
            progress.accept(each);
        }
        return Optional.empty();
    }

    /** Repeats a script. Returns how the back-end failed, or empty. */
    public Optional<Finding> replay(Script script) {
        return run.run(script);
    }

    /** Removes steps, first many at once, as long as the same kind of failure occurs. */
    private Script shortened(Script script, Finding finding) {
        Script best = script;
        int tries = 0;
        for (int piece = Math.max(1, script.steps().size() / 2); piece > 0; piece /= 2) {
            for (int at = 0; at < best.steps().size() && tries < MOST_TRIES; ) {
                Script candidate = best.without(at, piece);
                tries++;
                if (run.run(candidate).map(Finding::kind).equals(Optional.of(finding.kind()))) {
                    best = candidate;
                } else {
                    at += piece;
                }
            }
        }
        return best;
    }
}
