package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.vm.HintAction;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.text.Table;
import org.jspecify.annotations.Nullable;

/** {@code exomem hints}. */
final class HintsCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable HintAction action;
    private boolean follow;

    @Override
    public void describe(Usage usage) {
        usage.does("Shows which free pages the guest has hinted and reported; starts and ends hint sessions.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.optionalChoice("See below.", HintAction.class, value -> action = value);
        usage.flag(
                "--follow",
                "Prints the current state, and then changes as they happen: pages that the guest hints and reports,"
                        + " pages that enter and leave its balloon, and blocks that its memory devices plug and"
                        + " unplug. Ends with Ctrl-C, or when the VMM disconnects. With --json prints one object per"
                        + " line.",
                () -> follow = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Actions",
                "  start   the guest hints its free pages, and does not use them until \"done\"",
                "  stop    the guest stops hinting, and still waits for \"done\"",
                "  done    the guest may use the pages again");
    }

    @Override
    public int run(Streams streams) {
        Output output = outputOption.on(streams);
        return control.connect(session -> {
            ObjectNode about = Json.object().put("vm", vm);
            if (follow) {
                session.execute("follow-pages", about);
            }
            if (action != null) {
                session.execute("free-page-hint", about.deepCopy().put("action", action.toString()));
            }
            if (follow) {
                String goesOn = action == HintAction.START
                        ? "the hint session continues; \"exomem hints " + vm + " done\" ends it"
                        : "";
                return new PagesWatch(session, vm, output).untilGone(goesOn);
            }
            JsonNode answer = session.execute("query-free-pages", about);
            return output.show(answer, () -> table(answer));
        });
    }

    private static String table(JsonNode answer) {
        Table table = new Table("FREE PAGES", ">VALUE");
        table.add("hint session", answer.path("state").asText());
        table.add("hinted in session", size(answer, "hinted"));
        table.add("reported so far", size(answer, "reported"));
        table.add("reports", answer.path("reports").asText());
        table.add("returned to the host", size(answer, "discarded"));
        table.add("named, not shared", size(answer, "ignored"));
        return table.toString();
    }

    private static String size(JsonNode answer, String key) {
        return ByteSize.format(answer.path(key).asLong());
    }
}
