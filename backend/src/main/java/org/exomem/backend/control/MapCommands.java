package org.exomem.backend.control;

import static org.exomem.backend.control.Type.COUNT;
import static org.exomem.backend.control.Type.list;
import static org.exomem.backend.control.Type.maybe;
import static org.exomem.backend.control.Type.object;
import static org.exomem.backend.control.Type.whole;
import static org.exomem.backend.control.Type.with;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.map.MapRange;
import org.exomem.backend.map.MemoryMap;
import org.exomem.backend.map.MemoryMaps;
import org.exomem.backend.map.PageKind;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.WrittenJson;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/** The command that returns the kinds of a VM's pages by ranges (CTL-42). */
final class MapCommands {
    private static final int USUAL_CELLS = 256;
    private static final long MOST_BYTES = Pages.bytes(PageSet.LIMIT);

    private final Vms vms;
    private final MemoryMaps maps;

    MapCommands(Vms vms, MemoryMaps maps) {
        this.vms = vms;
        this.maps = maps;
    }

    List<Command> all() {
        return List.of(Command.of(
                "query-memory-map",
                object(
                        Commands.VM,
                        maybe("from", whole(0, MOST_BYTES - 1)),
                        maybe("length", whole(1, MOST_BYTES)),
                        maybe("cells", whole(1, MapRange.MOST_CELLS))),
                mapType(),
                this::map));
    }

    private static Type mapType() {
        Type.Member[] pages = PageKind.ALL.stream()
                .map(kind -> maybe(kind.word(), list(COUNT)))
                .toArray(Type.Member[]::new);
        return object(
                with("from", COUNT),
                with("length", COUNT),
                with("cell", COUNT),
                with("page", COUNT),
                with("regions", list(object(with("address", COUNT), with("length", COUNT)))),
                with("pages", object(pages)));
    }

    private CompletableFuture<JsonNode> map(Arguments arguments) {
        long length = arguments.integer("length", 0);
        return maps.map(
                        vms.named(arguments),
                        arguments.integer("from", 0),
                        length == 0 ? OptionalLong.empty() : OptionalLong.of(length),
                        (int) arguments.integer("cells", USUAL_CELLS))
                .thenApply(MapCommands::describe)
                // CTL-4: here on the thread of maps, not on the thread that all clients share.
                .thenApply(WrittenJson::of);
    }

    private static ObjectNode describe(MemoryMap map) {
        ObjectNode answer = Json.object()
                .put("from", Pages.bytes(map.range().first()))
                .put("length", Pages.bytes(map.range().length()))
                .put("cell", Pages.bytes(map.range().cellPages()))
                .put("page", Pages.SIZE);
        ArrayNode regions = answer.putArray("regions");
        map.regions()
                .forEach(region ->
                        regions.addObject().put("address", region.address()).put("length", region.length()));
        ObjectNode pages = answer.putObject("pages");
        map.pages().forEach((kind, counts) -> {
            if (map.sum(kind) > 0) {
                ArrayNode list = pages.putArray(kind.word());
                for (long count : counts) {
                    list.add(count);
                }
            }
        });
        return answer;
    }
}
