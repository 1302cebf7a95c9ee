package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.Set;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.cli.text.Table;
import org.jspecify.annotations.Nullable;

/** {@code exomem free-pages}. */
final class FreePagesCommand implements Command {
    private static final Duration LOOK_AGAIN = Duration.ofMillis(10);
    /** A driver that works normally answers in much less. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private static final Set<String> OPEN = Set.of("requested", "answering");
    private static final int BAR = 40;
    private static final long LEAST_BLOCK = 4 << 10;
    private static final long MOST_BLOCK = 1 << 30;

    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable Long smallest;
    private boolean last;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Asks the guest which of its pages are free, and shows their total size.",
                "Shows how long the answer took and how fragmented free memory is. Needs a driver that supports free"
                        + " page bitmaps, such as exomem's driver for Linux. The guest keeps running and keeps its"
                        + " pages. Also shows for how much memory the driver reported page descriptors. exomem reads"
                        + " them during a pause to find free pages.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.option(
                "--smallest",
                "SIZE",
                "The smallest free block that the guest reports, a power of two from 4K to 1G (default: 4K).",
                Completion.NOTHING,
                value -> smallest = block(value));
        usage.flag("--last", "Sends no request; shows the result of the last one.", () -> last = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section("Examples", "  exomem free-pages web", "  exomem free-pages web --smallest 2M --json");
    }

    private static long block(String text) throws UsageException {
        long bytes = SizeOption.bytes("--smallest", text);
        if (Long.bitCount(bytes) != 1 || bytes < LEAST_BLOCK || bytes > MOST_BLOCK) {
            throw new UsageException("--smallest " + text + ": must be a power of two from 4K to 1G");
        }
        return bytes;
    }

    @Override
    public int run(Streams streams) throws UsageException {
        if (last && smallest != null) {
            throw new UsageException("--last and --smallest exclude each other: --last sends no request");
        }
        Output output = outputOption.on(streams);
        ObjectNode about = Json.object().put("vm", vm);
        ObjectNode request = about.deepCopy();
        if (smallest != null) {
            request.put("smallest", smallest);
        }
        return control.connect(session -> {
            if (!last) {
                session.execute("free-pages", request);
            }
            JsonNode answer = ended(session, about);
            if (output.isJson()) {
                return output.show(answer, () -> "");
            }
            OptionalLong free = last ? OptionalLong.empty() : freeMemory(session, about);
            return output.show(answer, () -> table(answer, free));
        });
    }

    private JsonNode ended(ControlOption.Session session, ObjectNode about) throws IOException {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            JsonNode bitmap = session.execute("query-free-pages", about).path("bitmap");
            if (last || !OPEN.contains(bitmap.path("state").asText())) {
                return bitmap;
            }
            if (System.nanoTime() > end) {
                session.execute("free-pages-cancel", about);
                throw new CommandFailure(
                        ExitCode.TIMED_OUT,
                        "the guest of VM \"" + vm + "\" did not report all of its free pages within "
                                + LIMIT.toSeconds()
                                + " s: " + bitmap.path("chunks").asText()
                                + " chunks arrived. A paused guest answers when it runs again");
            }
            session.client().event(LOOK_AGAIN);
        }
    }

    /** The free memory in the guest's statistics, if it gives any. */
    private static OptionalLong freeMemory(ControlOption.Session session, ObjectNode about) throws IOException {
        try {
            JsonNode free = StatsCommand.fresh(session, about).path("stats").path("stat-free-memory");
            return free.isNumber() ? OptionalLong.of(free.asLong()) : OptionalLong.empty();
        } catch (CommandFailure e) {
            // The guest gives no statistics.
            return OptionalLong.empty();
        }
    }

    private static String table(JsonNode answer, OptionalLong free) {
        if (answer.path("state").asText().equals("idle")) {
            return "No free pages were requested yet." + System.lineSeparator();
        }
        long bytes = answer.path("bytes").asLong();
        Table table = new Table("FREE PAGES", ">VALUE");
        table.add("answer", answer.path("state").asText());
        table.add("reported free", ByteSize.format(bytes));
        if (free.isPresent() && free.getAsLong() > 0) {
            table.add(
                    "of the guest's free memory",
                    String.format(Locale.ROOT, "%.1f %%", 100.0 * bytes / free.getAsLong()));
        }
        table.add("request to last chunk", millis(answer, "time-us"));
        table.add("of that, exomem", millis(answer, "device-time-us"));
        table.add("chunks", answer.path("chunks").asText());
        long described = answer.path("descriptors").asLong();
        table.add("page descriptors", described == 0 ? "none reported" : "of " + ByteSize.format(described));
        return table + System.lineSeparator() + histogram(answer.path("blocks"), bytes);
    }

    private static String millis(JsonNode answer, String key) {
        return String.format(Locale.ROOT, "%.1f ms", answer.path(key).asLong() / 1000.0);
    }

    private static String histogram(JsonNode blocks, long bytes) {
        Table table = new Table(">BLOCKS OF", ">FREE", "");
        for (JsonNode block : blocks) {
            long part = block.path("bytes").asLong();
            int length = bytes == 0 ? 0 : (int) Math.ceilDiv(part * BAR, bytes);
            table.add(ByteSize.format(block.path("size").asLong()), ByteSize.format(part), "#".repeat(length));
        }
        return table.toString();
    }
}
