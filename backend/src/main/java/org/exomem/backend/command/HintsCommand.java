package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.Callable;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.vm.HintAction;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code exomem hints}. */
@Command(
        name = "hints",
        description = "Shows which free pages the guest has hinted and reported; starts and ends hint sessions.",
        footerHeading = "%nActions:%n",
        footer = {
            "  start   the guest lends all its free pages: it tells of them, and does not use them until done",
            "  stop    no more hints are wanted; the pages are lent until done",
            "  done    the guest may use the pages again"
        })
final class HintsCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Mixin
    private Output output;

    @Parameters(index = "0", paramLabel = "VM", description = "The VM's name.", completionCandidates = VmNames.class)
    private String vm;

    @Parameters(index = "1", arity = "0..1", paramLabel = "start|stop|done", description = "See below.")
    private @Nullable HintAction action;

    @Option(
            names = "--follow",
            description = "Prints what the guest hints and reports, what goes into its balloon and out, and what its "
                    + "memory devices plug and unplug, as it happens; first what is so now. Ends with Ctrl-C, or when "
                    + "the VM's VMM has gone. With --json an object a line.")
    private boolean follow;

    @Override
    public Integer call() {
        return control.connect(session -> {
            ObjectNode about = Json.object().put("vm", vm);
            if (follow) {
                session.execute("follow-pages", about);
            }
            if (action != null) {
                session.execute("free-page-hint", about.deepCopy().put("action", action.toString()));
            }
            if (follow) {
                return new PagesWatch(session, vm, output).untilGone();
            }
            JsonNode answer = session.execute("query-free-pages", about);
            return output.show(answer, () -> table(answer));
        });
    }

    private static String table(JsonNode answer) {
        Table table = new Table("FREE PAGES", ">VALUE");
        table.add("hint session", answer.path("state").asText());
        table.add("hinted in it", size(answer, "hinted"));
        table.add("reported so far", size(answer, "reported"));
        table.add("reports", answer.path("reports").asText());
        table.add("returned to the host", size(answer, "discarded"));
        table.add("named and not shared", size(answer, "ignored"));
        return table.toString();
    }

    private static String size(JsonNode answer, String key) {
        return ByteSize.format(answer.path(key).asLong());
    }
}
