package org.exomem.backend.control;

import static org.exomem.backend.control.Command.NOTHING;
import static org.exomem.backend.control.Type.COUNT;
import static org.exomem.backend.control.Type.choice;
import static org.exomem.backend.control.Type.list;
import static org.exomem.backend.control.Type.maybe;
import static org.exomem.backend.control.Type.object;
import static org.exomem.backend.control.Type.whole;
import static org.exomem.backend.control.Type.with;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.HintAction;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.BitmapState;
import org.exomem.balloon.FreePages;
import org.exomem.balloon.HintingState;
import org.exomem.pages.Pages;

/** The commands about free pages: hints, reports and bitmaps (spec/control.md). */
final class FreePageCommands {
    private static final long LARGEST_BLOCK = 1L << 30;

    private final Vms vms;

    FreePageCommands(Vms vms) {
        this.vms = vms;
    }

    List<Command> all() {
        return List.of(
                Command.of(
                        "free-page-hint",
                        object(Commands.VM, with("action", choice("start", "stop", "done"))),
                        NOTHING,
                        this::hint),
                Command.of(
                        "free-pages",
                        object(Commands.VM, maybe("smallest", whole(Pages.SIZE, LARGEST_BLOCK))),
                        NOTHING,
                        this::ask),
                Command.of("free-pages-cancel", object(Commands.VM), NOTHING, this::cancel),
                Command.of("query-free-pages", object(Commands.VM), answerType(), this::query));
    }

    private static Type answerType() {
        return object(
                with("state", choice(words(HintingState.values()))),
                with("command-id", COUNT),
                with("hinted", COUNT),
                with("reported", COUNT),
                with("reports", COUNT),
                with("discarded", COUNT),
                with("ignored", COUNT),
                with(
                        "bitmap",
                        object(
                                with("state", choice(words(BitmapState.values()))),
                                with("id", COUNT),
                                with("bytes", COUNT),
                                with("chunks", COUNT),
                                with("ignored-chunks", COUNT),
                                with("time-us", COUNT),
                                with("device-time-us", COUNT),
                                with("descriptors", COUNT),
                                with("blocks", list(object(with("size", COUNT), with("bytes", COUNT)))))));
    }

    private CompletableFuture<JsonNode> hint(Arguments arguments) {
        HintAction action = HintAction.valueOf(arguments.text("action").toUpperCase(Locale.ROOT));
        return vms.named(arguments).hint(action).thenApply(done -> Json.object());
    }

    /** CTL-36 */
    private CompletableFuture<JsonNode> ask(Arguments arguments) {
        long smallest = arguments.integer("smallest", Pages.SIZE);
        if (Long.bitCount(smallest) != 1) {
            throw QmpException.generic("argument \"smallest\" is " + smallest + "; it must be a power of two");
        }
        BitmapRequest request = new BitmapRequest(Long.numberOfTrailingZeros(smallest), List.of());
        return vms.named(arguments).askForFreePages(request).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> cancel(Arguments arguments) {
        return vms.named(arguments).cancelFreePages().thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> query(Arguments arguments) {
        CompletableFuture<BitmapAnswer> bitmap = vms.named(arguments).freePageBitmap();
        return vms.named(arguments)
                .freePages()
                .thenCombine(bitmap, (pages, answer) -> describe(pages).set("bitmap", describe(answer)));
    }

    private static ObjectNode describe(FreePages pages) {
        return Json.object()
                .put("state", word(pages.state()))
                .put("command-id", Integer.toUnsignedLong(pages.commandId()))
                .put("hinted", pages.hintedBytes())
                .put("reported", pages.reportedBytes())
                .put("reports", pages.reports())
                .put("discarded", pages.discardedBytes())
                .put("ignored", Pages.bytes(pages.ignoredPages()));
    }

    private static ObjectNode describe(BitmapAnswer answer) {
        ObjectNode bitmap = Json.object()
                .put("state", word(answer.state()))
                .put("id", answer.id())
                .put("bytes", answer.bytes())
                .put("chunks", answer.chunks())
                .put("ignored-chunks", answer.ignoredChunks())
                .put("time-us", TimeUnit.NANOSECONDS.toMicros(answer.nanos()))
                .put("device-time-us", TimeUnit.NANOSECONDS.toMicros(answer.deviceNanos()))
                .put("descriptors", answer.describedBytes());
        ArrayNode blocks = bitmap.putArray("blocks");
        for (int order = 0; order < answer.blockBytes().size(); order++) {
            blocks.addObject()
                    .put("size", Pages.bytes(1L << order))
                    .put("bytes", answer.blockBytes().get(order));
        }
        return bitmap;
    }

    private static String[] words(Enum<?>[] values) {
        return Arrays.stream(values).map(FreePageCommands::word).toArray(String[]::new);
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
