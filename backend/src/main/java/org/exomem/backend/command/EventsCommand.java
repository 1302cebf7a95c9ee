package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.text.VisibleText;
import org.jspecify.annotations.Nullable;

/** {@code exomem events}. */
final class EventsCommand implements Command {
    private static final Duration LOOK_AGAIN = Duration.ofSeconds(1);

    private final ControlOption control = new ControlOption();
    private @Nullable String vm;
    private @Nullable Integer seconds;
    private boolean json;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Prints events of the VMs as they happen. Ends with Ctrl-C.",
                "Of frequent events, such as size changes of a balloon, prints only the last one of each second.");
        usage.optionalParameter("VM", "Prints only the events of this VM.", Completion.VM, value -> vm = value);
        usage.flag(
                "--json",
                "Prints each event as one line of JSON, as on the control socket; sizes in bytes.",
                () -> json = true);
        usage.seconds("--for", "Ends after this many seconds.", value -> seconds = value);
        control.describe(usage);
        usage.section(
                "Examples", "  exomem events", "  exomem events web --json | jq .data", "  exomem events --for 60");
    }

    @Override
    public int run(Streams streams) {
        PrintWriter out = streams.out();
        Integer limit = seconds;
        long end = limit == null
                ? Long.MAX_VALUE
                : System.nanoTime() + Duration.ofSeconds(limit).toNanos();
        try (EndOnSignal _ = EndOnSignal.after(out::flush)) {
            return control.connect(session -> follow(session, streams, limit, end));
        }
    }

    private int follow(ControlOption.Session session, Streams streams, @Nullable Integer limit, long end)
            throws IOException {
        PrintWriter out = streams.out();
        if (vm != null && session.vm(vm).isMissingNode()) {
            streams.note("there is no VM \"" + vm + "\" now; its events are printed once it exists");
        }
        while (limit == null || System.nanoTime() - end < 0) {
            JsonNode event = next(session);
            if (event == null) {
                continue;
            }
            if (isWanted(event)) {
                out.println(json ? line(event) : VisibleText.lines(EventWords.of(event)));
                out.flush();
                if (out.checkError()) {
                    // The output was closed: end as a filter does.
                    return ExitCode.OK;
                }
            }
        }
        return ExitCode.OK;
    }

    private static @Nullable JsonNode next(ControlOption.Session session) {
        try {
            return session.client().event(LOOK_AGAIN);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.UNAVAILABLE, "the serving process has ended: " + e.getMessage());
        }
    }

    private boolean isWanted(JsonNode event) {
        return vm == null || EventWords.vm(event).equals(vm);
    }

    private static String line(JsonNode event) {
        return new String(Json.line(event), java.nio.charset.StandardCharsets.UTF_8).strip();
    }
}
