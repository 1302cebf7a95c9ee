package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.migration.stream.format.StreamOptions;
import org.jspecify.annotations.Nullable;

/** {@code exomem migrate}. */
final class MigrateCommand implements Command {
    private static final Pattern AFTER = Pattern.compile("(\\d{1,6})(ms|s|)");

    private static final int MOST_CHANNELS = 16;

    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private final SecurityOptions security = new SecurityOptions();
    private String vm = "";
    private @Nullable String to;
    private @Nullable Path vmmQmp;
    private int downtimeLimit = 300;
    private long bandwidth;
    private int channels = StreamOptions.USUAL_CHANNELS;
    private boolean compress;
    private boolean autoConverge;
    private HintsChoice hints = HintsChoice.AUTO;
    private boolean balloonFirst;
    private boolean skipUnchanged;
    private @Nullable WritesChoice writes;
    private int reconnectWithin = 30;
    private boolean postCopy;
    private @Nullable String after;
    private boolean noWait;
    private boolean cancel;
    private boolean status;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Moves a running VM to another host, where \"exomem receive\" waits for it.",
                "Memory is sent while the guest runs, without pages that the guest does not need. At the end the guest"
                        + " is paused for a moment, the state of its VMM is sent, and the guest continues at the"
                        + " destination. If anything fails before that, it continues here.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.option(
                "--to",
                "ADDRESS",
                "Where the destination waits: HOST:PORT, [IPV6]:PORT or unix:PATH.",
                Completion.ADDRESS,
                value -> to = SecurityOptions.address("--to", value));
        security.describe(usage);
        usage.path(
                "--vmm-qmp",
                "PATH",
                "The QMP socket of the VM's VMM. Needed only if \"exomem serve\" does not know it (vmm-qmp=).",
                value -> vmmQmp = value);
        usage.number(
                "--downtime-limit",
                "MS",
                "Pauses the guest when sending the rest is expected to take at most this long (default: 300).",
                0,
                Integer.MAX_VALUE,
                value -> downtimeLimit = value);
        SizeOption.describe(
                usage,
                "--bandwidth",
                "The maximum to send per second, such as 100M; 0: no limit (default: 0).",
                value -> bandwidth = value);
        usage.number(
                "--channels",
                "N",
                "The number of connections, each with a thread at both ends, at most " + MOST_CHANNELS + " (default: "
                        + StreamOptions.USUAL_CHANNELS + ").",
                1,
                MOST_CHANNELS,
                value -> channels = value);
        usage.flag("--compress", "Compresses pages that compression makes smaller.", () -> compress = true);
        usage.flag(
                "--auto-converge",
                "Throttles a guest that writes faster than its memory can be sent, if its VMM supports that.",
                () -> autoConverge = true);
        usage.choice(
                "--hints",
                "How to find memory that the guest does not need: bitmap (its driver reports all free pages at once;"
                        + " needs exomem's driver for Linux), hint (its driver allocates its free memory and hints"
                        + " it), none (the guest is not asked), or auto (bitmap, else hint if it saves enough)."
                        + " Default: auto.",
                HintsChoice.class,
                value -> hints = value);
        usage.flag(
                "--balloon-first",
                "Inflates the balloon before the migration, by what the guest can spare, with a margin of an eighth of"
                        + " its memory. Memory in the balloon is not sent. Needs a balloon with deflate-on-oom, so"
                        + " that the guest can take memory back.",
                () -> balloonFirst = true);
        usage.flag(
                "--skip-unchanged",
                "For a VMM without a log of writes: does not send pages that the guest reported as free, if they are"
                        + " unchanged at the pause. They are read during the pause, which gets longer. Default: free"
                        + " memory is sent last, unless the host has it back already.",
                () -> skipUnchanged = true);
        usage.choice(
                "--writes",
                "How to find pages that the guest writes: auto (the VMM's log, else watch, else compare), watch"
                        + " (attaches to QEMU for a moment and watches its memory), or compare (reads all memory in"
                        + " each round, without attaching). Default: vmm-writes of the VM, or auto.",
                WritesChoice.class,
                value -> writes = value);
        usage.flag(
                "--post-copy",
                "Starts the guest at the destination before all of its memory has arrived, if the rest does not fit"
                        + " into --downtime-limit. Pages that the guest touches are sent first. For a guest that"
                        + " writes faster than its memory can be sent. The guest needs both hosts until all memory"
                        + " has arrived: if this host is lost, the guest is lost. Needs a QEMU at the destination"
                        + " that exomem may attach to.",
                () -> postCopy = true);
        usage.option(
                "--after",
                "N|TIME",
                "With --post-copy: starts the guest at the destination after this many rounds (0: at once), or after"
                        + " this time, such as 10s or 500ms (default: 1).",
                Completion.NOTHING,
                value -> after = value);
        usage.secondsOfAnHour(
                "--reconnect-within",
                "How long to try to reconnect when the connection is lost; 0: not at all (default: 30). While the"
                        + " guest is paused: 3 at most.",
                value -> reconnectWithin = value);
        usage.flag("--no-wait", "Returns when the migration has started.", () -> noWait = true);
        usage.flag("--cancel", "Cancels the running migration; the guest continues here.", () -> cancel = true);
        usage.flag("--status", "Shows the running migration, or the last one.", () -> status = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem migrate web --to unix:/run/web.migration",
                "  exomem migrate web --to hostb:7000 --tls /etc/exomem/pki/hosta",
                "  exomem migrate web --to hostb:7000 --psk /etc/psk --post-copy --after 10s",
                "  exomem migrate web --cancel");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        Output output = outputOption.on(streams);
        int actions = (to != null ? 1 : 0) + (cancel ? 1 : 0) + (status ? 1 : 0);
        if (actions != 1) {
            throw new UsageException(
                    actions == 0
                            ? "one of --to ADDRESS, --status and --cancel is required"
                            : "--to, --status and --cancel exclude each other");
        }
        ObjectNode request = to == null ? Json.object() : request(to);
        return control.connect(session -> {
            MigrationWatch watch = new MigrationWatch(session, vm, output);
            if (cancel) {
                session.execute("migrate-cancel", Json.object().put("vm", vm));
                return ExitCode.OK;
            }
            if (status) {
                return watch.show();
            }
            session.execute("migrate", request);
            return noWait ? ExitCode.OK : watch.untilOver("the migration continues");
        });
    }

    private ObjectNode request(String address) throws UsageException {
        ObjectNode request = Json.object()
                .put("vm", vm)
                .put("uri", address)
                .put("downtime-limit", downtimeLimit)
                .put("channels", channels)
                .put("max-bandwidth", bandwidth)
                .put("compress", compress)
                .put("reconnect-within", reconnectWithin)
                .put("auto-converge", autoConverge)
                .put("hints", hints.word())
                .put("balloon-first", balloonFirst)
                .put("hinted-pages", skipUnchanged ? "skip-unchanged" : "send");
        if (vmmQmp != null) {
            request.put("vmm-qmp", vmmQmp.toAbsolutePath().toString());
        }
        if (writes != null) {
            request.put("writes", writes.word());
        }
        if (after != null && !postCopy) {
            throw new UsageException("--after needs --post-copy");
        }
        if (postCopy) {
            request.put("post-copy", true);
        }
        if (after != null) {
            addAfter(after, request);
        }
        security.addTo(request);
        return request;
    }

    private static void addAfter(String value, ObjectNode request) throws UsageException {
        Matcher matcher = AFTER.matcher(value);
        if (!matcher.matches()) {
            throw new UsageException(
                    "--after " + value + ": must be a number of rounds, such as 3, or a time, such as 10s or 500ms");
        }
        long number = Long.parseLong(matcher.group(1));
        switch (matcher.group(2)) {
            case "ms" -> request.put("post-copy-after-time", number);
            case "s" -> request.put("post-copy-after-time", number * 1000);
            default -> request.put("post-copy-after-rounds", number);
        }
    }
}
