package org.exomem.backend.control;

import static org.exomem.backend.control.Command.NOTHING;
import static org.exomem.backend.control.Type.COUNT;
import static org.exomem.backend.control.Type.TEXT;
import static org.exomem.backend.control.Type.choice;
import static org.exomem.backend.control.Type.list;
import static org.exomem.backend.control.Type.maybe;
import static org.exomem.backend.control.Type.object;
import static org.exomem.backend.control.Type.with;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.qmp.Json;

/** The commands about VMs whose memory comes on demand (CTL-38, CTL-39); see {@code spec/control.md}. */
final class PagerCommands {
    /** The status of a pager. */
    static final Type STATUS = choice(Arrays.stream(PagedState.Status.values())
            .map(PagedState.Status::word)
            .toArray(String[]::new));

    private final ProcessControl process;

    PagerCommands(ProcessControl process) {
        this.process = process;
    }

    List<Command> all() {
        return List.of(
                Command.of(
                        "pager-start",
                        object(with("vm", TEXT), with("image", TEXT), with("vmm-qmp", TEXT)),
                        NOTHING,
                        this::start),
                Command.of("query-pagers", NOTHING, list(pagerType()), arguments -> query()));
    }

    private static Type pagerType() {
        return object(
                with("vm", TEXT),
                with("image", TEXT),
                with("pid", COUNT),
                with("status", STATUS),
                with("since", COUNT),
                with("owed", COUNT),
                with("arrived", COUNT),
                with("faults", COUNT),
                with("zero-faults", COUNT),
                with("first-faults", COUNT),
                with("prefetched", COUNT),
                maybe("reason", TEXT));
    }

    private CompletableFuture<JsonNode> start(Arguments arguments) {
        return process.page(arguments.text("vm"), arguments.absolutePath("image"), arguments.absolutePath("vmm-qmp"))
                .thenApply(begun -> Json.object());
    }

    private CompletableFuture<JsonNode> query() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        process.paged().forEach(paged -> describe(paged, list.addObject()));
        return CompletableFuture.completedFuture(list);
    }

    private static void describe(PagedState paged, ObjectNode answer) {
        answer.put("vm", paged.vm())
                .put("image", paged.image().toString())
                .put("pid", paged.pid())
                .put("status", paged.status().word())
                .put("since", paged.since().getEpochSecond())
                .put("owed", paged.owed())
                .put("arrived", paged.arrived())
                .put("faults", paged.faults())
                .put("zero-faults", paged.zeroFaults())
                .put("first-faults", paged.firstFaults())
                .put("prefetched", paged.prefetched());
        paged.reason().ifPresent(reason -> answer.put("reason", reason));
    }
}
