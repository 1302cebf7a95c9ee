package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.qmp.Json;
import org.exomem.migration.stream.format.StreamOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code exomem migrate}. */
@Command(
        name = "migrate",
        sortOptions = false,
        description = {
            "Moves a running VM to another host, where \"exomem receive\" waits for it.",
            "",
            "Memory travels while the guest runs; what the guest does not need stays behind. At the end the guest is "
                    + "paused for a moment, its VMM's own state follows, and it runs on over there. If anything fails "
                    + "before that, it runs on here."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  exomem migrate web --to unix:/run/web.migration",
            "  exomem migrate web --to hostb:7000 --tls /etc/exomem/pki/hosta",
            "  exomem migrate web --cancel"
        })
final class MigrateCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Mixin
    private Output output;

    @Parameters(index = "0", paramLabel = "VM", description = "The VM's name.")
    private String vm;

    @Option(
            names = "--to",
            paramLabel = "ADDRESS",
            description = "Where the destination waits: HOST:PORT, [IPV6]:PORT or unix:PATH.")
    private @Nullable String to;

    @Mixin
    private SecurityOptions security;

    @Option(
            names = "--vmm-qmp",
            paramLabel = "PATH",
            description = "The QMP socket of the VM's VMM, if \"exomem serve\" was not told.")
    private @Nullable Path vmmQmp;

    @Option(
            names = "--downtime-limit",
            paramLabel = "MS",
            description = "Pauses the guest when the rest is expected to take no longer (default: ${DEFAULT-VALUE}).",
            defaultValue = "300")
    private int downtimeLimit;

    @Option(
            names = "--bandwidth",
            paramLabel = "SIZE",
            description = "The most that may be sent in a second, such as 100M (default: no limit).")
    private @Nullable String bandwidth;

    @Option(
            names = "--channels",
            paramLabel = "N",
            description = "Connections, each with a thread at both ends (default: ${DEFAULT-VALUE}).",
            defaultValue = "" + StreamOptions.USUAL_CHANNELS)
    private int channels;

    @Option(names = "--compress", description = "Compresses what gets smaller by it.")
    private boolean compress;

    @Option(
            names = "--auto-converge",
            description = "Slows a guest down that writes faster than its memory travels, if its VMM can.")
    private boolean autoConverge;

    @Option(names = "--no-hints", description = "Does not ask the guest which memory is free.")
    private boolean noHints;

    @Option(
            names = "--balloon-first",
            description = "Before: inflates the balloon by what the guest can spare, with a margin of an eighth of its "
                    + "memory; that does not travel. Needs a balloon with deflate-on-oom, so that the guest can take "
                    + "it back.")
    private boolean balloonFirst;

    @Option(
            names = "--skip-unchanged",
            description = "Of a VMM that keeps no log of writes: leaves out what the guest says is free, if it has "
                    + "not changed at the pause. The pause is longer by reading it. Default: free memory is sent "
                    + "last, unless the host has it back already.")
    private boolean skipUnchanged;

    @Option(
            names = "--reconnect-within",
            paramLabel = "SECONDS",
            description = "How long to try again when the connection is lost; 0: not at all "
                    + "(default: ${DEFAULT-VALUE}). For a paused guest it is 3 at most.",
            defaultValue = "30")
    private int reconnectWithin;

    @Option(names = "--no-wait", description = "Returns when the migration has begun.")
    private boolean noWait;

    @Option(names = "--cancel", description = "Ends the migration that is under way; the guest runs on here.")
    private boolean cancel;

    @Option(names = "--status", description = "Shows the migration that is under way, or the last one.")
    private boolean status;

    @Override
    public Integer call() throws ConfigException {
        if ((to != null ? 1 : 0) + (cancel ? 1 : 0) + (status ? 1 : 0) != 1) {
            throw new ConfigException("say --to ADDRESS, --status or --cancel");
        }
        ObjectNode wish = to == null ? Json.object() : wish(to);
        return control.connect(session -> {
            MigrationWatch watch = new MigrationWatch(session, vm, output);
            if (cancel) {
                session.execute("migrate-cancel", Json.object().put("vm", vm));
                return ExitCode.OK;
            }
            if (status) {
                return watch.show();
            }
            session.execute("migrate", wish);
            return noWait ? ExitCode.OK : watch.untilOver();
        });
    }

    private ObjectNode wish(String address) throws ConfigException {
        ObjectNode wish = Json.object()
                .put("vm", vm)
                .put("uri", SecurityOptions.address(address))
                .put("downtime-limit", downtimeLimit)
                .put("channels", channels)
                .put("compress", compress)
                .put("reconnect-within", reconnectWithin)
                .put("auto-converge", autoConverge)
                .put("hints", !noHints)
                .put("balloon-first", balloonFirst)
                .put("hinted-pages", skipUnchanged ? "skip-unchanged" : "send");
        if (vmmQmp != null) {
            wish.put("vmm-qmp", vmmQmp.toAbsolutePath().toString());
        }
        if (bandwidth != null) {
            wish.put("max-bandwidth", ByteSize.parse(bandwidth));
        }
        security.addTo(wish);
        return wish;
    }
}
