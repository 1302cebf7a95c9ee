package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
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

/** {@code exomem balloon}. */
final class BalloonCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable String size;
    private boolean wait;
    private @Nullable Integer timeout;

    @Override
    public void describe(Usage usage) {
        usage.does("Shows or changes how much memory a VM has outside its balloon.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.optionalParameter(
                "SIZE",
                "The new size, for example 2G, 512M or 1.5GiB, in powers of 1024. +SIZE and -SIZE are relative to the"
                        + " current size.",
                Completion.NOTHING,
                value -> size = value);
        usage.flag("--wait", "Waits until the guest has reached the size.", () -> wait = true);
        usage.seconds(
                "--timeout",
                "With --wait: fails after this long without progress (default: " + WaitLimit.USUAL + ").",
                value -> timeout = value);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem balloon web                 shows the current size",
                "  exomem balloon web 2G              sets 2 GiB, and returns at once",
                "  exomem balloon web 2G --wait       the same, and waits until it is done",
                "  exomem balloon web +512M           512 MiB more than now",
                "  exomem balloon web -1G             1 GiB less",
                "",
                "If no VMM is connected yet, exomem applies the size when one connects.");
    }

    @Override
    public int run(Streams streams) throws ConfigException, UsageException {
        Output output = outputOption.on(streams);
        SizeChange wish = size == null ? null : SizeChange.parse(size);
        Duration limit = WaitLimit.of(wait, timeout);
        return control.connect(session -> {
            ObjectNode about = Json.object().put("vm", vm);
            if (wish != null) {
                long bytes = wish.relative() ? has(session, about) + wish.bytes() : wish.bytes();
                if (bytes < BalloonConfig.LEAST_SIZE) {
                    throw new CommandFailure(ExitCode.USAGE, tooSmall(wish, bytes));
                }
                session.execute("balloon", about.deepCopy().put("value", bytes));
                if (session.waitsForVmm(vm)) {
                    output.note("no VMM is connected; the size is applied when one connects");
                    if (!wait) {
                        return output.show(Json.object().put("target", bytes), () -> "");
                    }
                }
            }
            if (wait) {
                return new BalloonWait(session, about, limit, output).run();
            }
            if (wish != null && !output.isJson()) {
                return ExitCode.OK;
            }
            JsonNode known = session.vm(vm);
            if (session.waitsForVmm(vm) && known.has("stats-interval")) {
                output.note("no VMM is connected for VM \"" + vm + "\"");
                ObjectNode kept = Json.object();
                if (known.has("target")) {
                    kept.set("target", known.path("target"));
                }
                return output.show(kept, () -> describe(kept));
            }
            JsonNode balloon = session.execute("query-balloon", about);
            return output.show(balloon, () -> describe(balloon));
        });
    }

    private static String tooSmall(SizeChange wish, long bytes) {
        return (wish.relative()
                        ? ByteSize.format(bytes - wish.bytes()) + " minus " + ByteSize.format(-wish.bytes())
                        : ByteSize.format(bytes))
                + " is too small for a VM; sizes are in bytes unless they have a unit, such as 512M";
    }

    private static long has(ControlOption.Session session, ObjectNode about) throws IOException {
        return session.execute("query-balloon", about).path("actual").asLong();
    }

    static String describe(JsonNode balloon) {
        Table table = new Table("BALLOON", ">VALUE");
        table.add("memory", size(balloon, "memory"));
        table.add("actual", size(balloon, "actual"));
        table.add("target", size(balloon, "target"));
        table.add("in the balloon", size(balloon, "ballooned"));
        return table.toString();
    }

    private static String size(JsonNode balloon, String key) {
        return balloon.has(key) ? ByteSize.format(balloon.path(key).asLong()) : "-";
    }
}
