package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.text.Table;
import org.jspecify.annotations.Nullable;

/** {@code exomem stats}. */
final class StatsCommand implements Command {
    /** The statistics in bytes; the others count events. */
    private static final Set<String> BYTES = Set.of(
            "stat-swap-in",
            "stat-swap-out",
            "stat-free-memory",
            "stat-total-memory",
            "stat-available-memory",
            "stat-disk-caches");

    /** The control socket's answer for a guest that has not answered yet. */
    private static final JsonNode NOTHING_YET =
            Json.object().put("last-update", 0).set("stats", Json.object());

    private static final Duration LOOK_AGAIN = Duration.ofMillis(50);
    private static final int LOOKS = 40;

    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable Integer interval;

    @Override
    public void describe(Usage usage) {
        usage.does("Requests memory statistics from the guest, and shows the last ones received.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.seconds(
                "--interval",
                "From now on requests statistics at this interval; 0 stops the requests.",
                value -> interval = value);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem stats web",
                "  exomem stats web --interval 5     requests them every 5 s from" + " now on");
    }

    @Override
    public int run(Streams streams) throws ConfigException {
        Output output = outputOption.on(streams);
        Integer seconds = interval;
        return control.connect(session -> {
            ObjectNode about = Json.object().put("vm", vm);
            if (seconds != null) {
                session.execute("set-balloon-stats-interval", about.deepCopy().put("interval", seconds));
                if (session.waitsForVmm(vm)) {
                    output.note(
                            seconds == 0
                                    ? "no VMM is connected; no statistics will be requested when one connects"
                                    : "no VMM is connected; statistics will be requested when one connects");
                    return output.show(NOTHING_YET, () -> "");
                }
            }
            JsonNode answer = fresh(session, about);
            return output.show(answer, () -> table(answer));
        });
    }

    /** The first request makes the guest send statistics. It does so within a moment, unless it hangs. */
    static JsonNode fresh(ControlOption.Session session, ObjectNode about) throws IOException {
        JsonNode answer = session.execute("query-balloon-stats", about);
        for (int look = 0;
                look < LOOKS && (look == 0 || answer.path("last-update").asLong() == 0);
                look++) {
            session.client().event(LOOK_AGAIN);
            answer = session.execute("query-balloon-stats", about);
        }
        return answer;
    }

    private static String table(JsonNode answer) {
        long updated = answer.path("last-update").asLong();
        if (updated == 0) {
            return "The guest has not answered yet; try again." + System.lineSeparator();
        }
        Table table = new Table("STATISTIC", ">VALUE");
        for (var stat : answer.path("stats").properties()) {
            long value = stat.getValue().asLong();
            table.add(
                    stat.getKey().replaceFirst("^stat-", ""),
                    BYTES.contains(stat.getKey()) ? ByteSize.format(value) : Long.toUnsignedString(value));
        }
        long age = Math.max(0, Instant.now().truncatedTo(ChronoUnit.SECONDS).getEpochSecond() - updated);
        return table + "As of " + age + " s ago." + System.lineSeparator();
    }
}
