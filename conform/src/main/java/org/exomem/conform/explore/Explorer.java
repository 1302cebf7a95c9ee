package org.exomem.conform.explore;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.LongConsumer;
import org.exomem.conform.run.Runner;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;

/** Tries random scripts until the back-end does not survive one, and makes that one short. For one thread. */
public final class Explorer {
    /** A script is tried so often while it is made shorter. */
    private static final int MOST_TRIES = 600;

    private final ScriptRun run;
    private final Runner.Found found;

    /**
     * The back-end stays the caller's.
     *
     * @throws IOException if it serves no session as it is
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
     * A script that the back-end did not survive.
     *
     * @param seed of the script from which it was made
     * @param steps that the script had before it was made short
     */
    public record Discovery(long seed, int steps, Script script, Finding finding) {}

    /**
     * Tries scripts of the seeds from one on.
     *
     * @param count how many
     * @param progress is told of each seed that was tried
     * @return the first that the back-end did not survive, made short; empty if it survived all
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

    /** Repeats a script; what the back-end did not survive, or empty. */
    public Optional<Finding> replay(Script script) {
        return run.run(script);
    }

    /** Takes steps away, first many at once, as long as the same kind of thing happens. */
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
