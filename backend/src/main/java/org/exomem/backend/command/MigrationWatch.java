package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;

/** Watches a migration until it is over. Shows the progress if the output is watched, and the result at the end. */
final class MigrationWatch {
    private final ControlOption.Session session;
    private final String vm;
    private final Output output;

    MigrationWatch(ControlOption.Session session, String vm, Output output) {
        this.session = session;
        this.vm = vm;
        this.output = output;
    }

    /**
     * Watches the migration; returns the exit code.
     *
     * @param goesOn what the serving process goes on with if the user does not wait any longer
     * @throws CommandFailure if the VM did not move
     */
    int untilOver(String goesOn) throws IOException {
        try (InterruptTask _ = InterruptTask.note(
                output,
                goesOn + "; \"exomem migrate " + vm + " --status\" shows it, \"exomem migrate " + vm
                        + " --cancel\" cancels it")) {
            return untilOver();
        }
    }

    private int untilOver() throws IOException {
        JsonNode state = state();
        state = whileSettingUp(state);
        state = whileInflating(state);
        state = whileSettingUp(state);
        try (ProgressLine line =
                new ProgressLine("memory", state.path("ram").path("total").asLong(), output)) {
            while (isUnderWay(state)) {
                state = lookAgain();
                JsonNode ram = state.path("ram");
                line.stepTo(ram.path("total").asLong() - ram.path("remaining").asLong());
                line.say(message(state, ram));
            }
        }
        if (!state.path("status").asText().equals("completed")) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "VM \"" + vm + "\" "
                            + switch (state.path("direction").asText()) {
                                case "save" -> "was not saved";
                                case "update" -> "still runs in its old VMM";
                                default -> "did not move";
                            }
                            + ": "
                            + state.path("error-desc").asText("it was cancelled"));
        }
        return show(state);
    }

    /** While nothing is being sent yet. */
    private JsonNode whileSettingUp(JsonNode from) throws IOException {
        JsonNode state = from;
        while (isUnderWay(state) && state.path("ram").isMissingNode() && !state.has("owed") && !isInflating(state)) {
            state = lookAgain();
        }
        return state;
    }

    /** While the balloon is being inflated first. */
    private JsonNode whileInflating(JsonNode from) throws IOException {
        JsonNode state = from;
        try (ProgressLine line = new ProgressLine("balloon", wanted(state), output)) {
            while (isUnderWay(state) && isInflating(state)) {
                line.stepTo(inflated(state));
                state = lookAgain();
            }
            line.stepTo(inflated(state));
        }
        return state;
    }

    /** False as soon as the destination is connected and memory is being sent. */
    private static boolean isInflating(JsonNode state) {
        return state.path("status").asText().equals("setup") && wanted(state) > inflated(state);
    }

    private static long wanted(JsonNode state) {
        JsonNode first = state.path("balloon-first");
        return first.path("before").asLong() - first.path("target").asLong();
    }

    private static long inflated(JsonNode state) {
        JsonNode first = state.path("balloon-first");
        return first.path("before").asLong() - first.path("after").asLong();
    }

    private JsonNode lookAgain() throws IOException {
        session.client().event(ProgressLine.LOOK_AGAIN);
        return state();
    }

    private static String message(JsonNode state, JsonNode ram) {
        if (state.path("status").asText().equals("reconnecting")) {
            return "connection lost, reconnecting…";
        }
        if (state.path("status").asText().equals("postcopy-active")) {
            return "the guest runs; "
                    + ByteSize.format(
                            ram.isMissingNode()
                                    ? state.path("owed").path("remaining").asLong()
                                    : ram.path("remaining").asLong())
                    + " of its memory are not sent yet";
        }
        return "round " + ram.path("dirty-sync-count").asInt() + ", "
                + ByteSize.format(ram.path("transferred").asLong()) + " sent, expected pause: "
                + state.path("expected-downtime").asLong() + " ms";
    }

    int show() throws IOException {
        return show(state());
    }

    private int show(JsonNode state) {
        return output.show(state, () -> MigrationTable.text(state));
    }

    private JsonNode state() throws IOException {
        JsonNode state = session.execute("query-migrate", Json.object().put("vm", vm));
        if (state.isEmpty()) {
            throw new CommandFailure(ExitCode.FAILED, "VM \"" + vm + "\" has not migrated since exomem was started");
        }
        return state;
    }

    private static boolean isUnderWay(JsonNode state) {
        return switch (state.path("status").asText()) {
            case "setup", "active", "device", "postcopy-active", "reconnecting" -> true;
            default -> false;
        };
    }
}
