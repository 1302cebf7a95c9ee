package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import org.exomem.backend.config.ByteSize;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.jspecify.annotations.Nullable;

/** Waits until a resize job is over. Shows the progress if the output is watched. */
final class MemWait {
    private final ControlOption.Session session;
    private final String id;
    private final Duration limit;
    private final Output output;
    private final String howToCancel;

    /** @param howToCancel the command that ends the job */
    MemWait(ControlOption.Session session, String id, Duration limit, Output output, String howToCancel) {
        this.session = session;
        this.id = id;
        this.limit = limit;
        this.output = output;
        this.howToCancel = howToCancel;
    }

    /** @throws CommandFailure if the job makes no progress for too long, or ends without success */
    void run() throws IOException {
        JsonNode job = job();
        long last = job.path("current-progress").asLong();
        long progressed = System.nanoTime();
        try (InterruptTask _ = InterruptTask.note(output, "the resize continues; " + howToCancel + " cancels it");
                ProgressLine line =
                        new ProgressLine("memory", job.path("total-progress").asLong(), output)) {
            while (!job.path("status").asText().equals("concluded")) {
                if (System.nanoTime() - progressed > limit.toNanos()) {
                    throw new CommandFailure(
                            ExitCode.TIMED_OUT,
                            "no progress for " + limit.toSeconds() + " s: " + standing(job)
                                    + "; it continues when it can");
                }
                session.client().event(ProgressLine.LOOK_AGAIN);
                job = job();
                long done = job.path("current-progress").asLong();
                if (done != last) {
                    last = done;
                    progressed = System.nanoTime();
                }
                line.stepTo(done);
                line.say(job.path("reason").asText(""));
            }
        }
        if (!job.path("outcome").asText().equals("done")) {
            throw new CommandFailure(
                    ExitCode.FAILED, "the job was " + job.path("outcome").asText() + ": " + standing(job));
        }
    }

    private static String standing(JsonNode job) {
        String reason = job.path("reason").asText("");
        return ByteSize.format(job.path("plugged").asLong()) + " of "
                + ByteSize.format(job.path("requested").asLong()) + " are plugged"
                + (reason.isEmpty() ? "" : ", " + reason);
    }

    private JsonNode job() throws IOException {
        JsonNode found = find(session.execute("query-jobs"));
        if (found == null) {
            throw new CommandFailure(
                    ExitCode.FAILED, "job \"" + id + "\" no longer exists: another size was requested");
        }
        return found;
    }

    private @Nullable JsonNode find(JsonNode jobs) {
        for (JsonNode job : jobs) {
            if (job.path("id").asText().equals(id)) {
                return job;
            }
        }
        return null;
    }
}
