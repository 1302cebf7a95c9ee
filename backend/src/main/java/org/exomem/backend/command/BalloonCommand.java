package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.qmp.Json;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code exomem balloon}. */
@Command(
        name = "balloon",
        description = "Shows or changes how much memory a VM has outside its balloon.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  exomem balloon web                 what it has",
            "  exomem balloon web 2G              wants it to have 2 GiB, and returns at once",
            "  exomem balloon web 2G --wait       and waits until the guest has done it",
            "  exomem balloon web +512M           512 MiB more than it has now",
            "  exomem balloon web -1G             1 GiB less",
            "",
            "What is wanted of a VM that no VMM has connected for yet is kept until one does."
        })
final class BalloonCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Mixin
    private Output output;

    @Parameters(index = "0", paramLabel = "VM", description = "The VM's name.", completionCandidates = VmNames.class)
    private String vm;

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "SIZE",
            description = "What it shall have: 2G, 512M, 1.5GiB, in powers of 1024; +SIZE and -SIZE are relative.")
    private @Nullable String size;

    @Option(names = "--wait", description = "Waits until the guest has got there.")
    private boolean wait;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "With --wait: gives up after so long without any progress (default: ${DEFAULT-VALUE}).",
            defaultValue = "60")
    private int timeout;

    @Override
    public Integer call() throws ConfigException {
        SizeChange wish = size == null ? null : SizeChange.parse(size, "balloon");
        Duration limit = Duration.ofSeconds(Seconds.of("--timeout", timeout));
        return control.connect(session -> {
            ObjectNode about = Json.object().put("vm", vm);
            if (wish != null) {
                long bytes = wish.relative() ? has(session, about) + wish.bytes() : wish.bytes();
                if (bytes < BalloonConfig.LEAST_SIZE) {
                    throw new CommandFailure(
                            ExitCode.USAGE,
                            "a VM can't live in " + ByteSize.format(bytes) + "; sizes are in bytes unless they have"
                                    + " a unit, such as 512M");
                }
                session.execute("balloon", about.deepCopy().put("value", bytes));
                if (session.waitsForVmm(vm)) {
                    output.note("kept until a VMM connects");
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
            JsonNode balloon = session.execute("query-balloon", about);
            return output.show(balloon, () -> describe(balloon));
        });
    }

    private static long has(ControlOption.Session session, ObjectNode about) throws IOException {
        return session.execute("query-balloon", about).path("actual").asLong();
    }

    static String describe(JsonNode balloon) {
        Table table = new Table("BALLOON", ">VALUE");
        table.add("memory", size(balloon, "memory"));
        table.add("actual", size(balloon, "actual"));
        table.add("target", balloon.has("target") ? size(balloon, "target") : "-");
        table.add("in the balloon", size(balloon, "ballooned"));
        return table.toString();
    }

    private static String size(JsonNode balloon, String key) {
        return ByteSize.format(balloon.path(key).asLong());
    }
}
