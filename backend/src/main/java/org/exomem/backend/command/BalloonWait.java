package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.pages.Pages;

/** Waits until a guest has reached its target size. Shows the progress if the output is watched. */
final class BalloonWait {
    private final ControlOption.Session session;
    private final ObjectNode about;
    private final Duration limit;
    private final Output output;

    BalloonWait(ControlOption.Session session, ObjectNode about, Duration limit, Output output) {
        this.session = session;
        this.about = about;
        this.limit = limit;
        this.output = output;
    }

    /**
     * Waits until the target is reached; returns the exit code.
     *
     * @throws CommandFailure if there is no progress for too long
     */
    int run() throws IOException {
        String vm = about.path("vm").asText();
        JsonNode balloon = balloon(vm);
        long from = actual(balloon);
        long last = from;
        long progressed = System.nanoTime();
        try (InterruptTask _ = InterruptTask.note(
                        output,
                        "the guest continues to the requested size; \"exomem balloon " + vm
                                + " SIZE\" requests another");
                ProgressLine bar = new ProgressLine("balloon", Math.abs(target(balloon) - from), output)) {
            while (!arrived(balloon)) {
                if (System.nanoTime() - progressed > limit.toNanos()) {
                    throw new CommandFailure(
                            ExitCode.TIMED_OUT,
                            "no progress for " + limit.toSeconds() + " s: " + standing(vm, balloon));
                }
                session.client().event(ProgressLine.LOOK_AGAIN);
                balloon = balloon(vm);
                if (actual(balloon) != last) {
                    last = actual(balloon);
                    progressed = System.nanoTime();
                }
                bar.stepTo(Math.abs(last - from));
            }
        }
        JsonNode done = balloon;
        return output.show(done, () -> BalloonCommand.describe(done));
    }

    /** The state of the balloon; empty while no VMM is connected. */
    private JsonNode balloon(String vm) throws IOException {
        return session.waitsForVmm(vm) ? Json.object() : session.execute("query-balloon", about);
    }

    private static String standing(String vm, JsonNode balloon) {
        return balloon.isEmpty()
                ? "no VMM is connected for VM \"" + vm + "\"; the size is applied when one connects"
                : "VM " + vm + " has " + ByteSize.format(actual(balloon)) + ", requested: "
                        + ByteSize.format(target(balloon));
    }

    private static long actual(JsonNode balloon) {
        return balloon.path("actual").asLong();
    }

    /** A target above the VM's memory empties the balloon, which then counts as reached. */
    private static long target(JsonNode balloon) {
        long memory = balloon.path("memory").asLong();
        return Math.min(balloon.path("target").asLong(memory), memory);
    }

    private static boolean arrived(JsonNode balloon) {
        if (balloon.isEmpty()) {
            return false;
        }
        // A target between two pages is reached by the page above.
        return Math.abs(actual(balloon) - target(balloon)) < Pages.SIZE;
    }
}
