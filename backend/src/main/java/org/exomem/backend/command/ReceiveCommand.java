package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.jspecify.annotations.Nullable;

/** {@code exomem receive}. */
final class ReceiveCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private final SecurityOptions security = new SecurityOptions();
    private String vm = "";
    private String listen = "";
    private @Nullable Path vmmQmp;
    private int reconnectWithin = 60;
    private boolean noWait;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Waits for a VM that \"exomem migrate\" moves here.",
                "The VMM must already run and wait for a migration (QEMU: -incoming defer). It needs memory of the"
                        + " same names and sizes in shared files. Start it without its vhost-user devices: exomem"
                        + " plugs them in when the guest runs.");
        usage.parameter("VM", "The VM's name on this host.", Completion.VM, value -> vm = value);
        usage.requiredOption(
                "--listen",
                "ADDRESS",
                "The address to listen on: HOST:PORT, [IPV6]:PORT or unix:PATH; port 0 is any free port.",
                Completion.ADDRESS,
                value -> listen = SecurityOptions.address("--listen", value));
        security.describe(usage);
        usage.path(
                "--vmm-qmp",
                "PATH",
                "The QMP socket of the VM's VMM. Needed only if \"exomem serve\" does not know it (vmm-qmp=).",
                value -> vmmQmp = value);
        usage.secondsOfAnHour(
                "--reconnect-within",
                "How long to keep received memory for the source when the connection is lost; 0: not at all (default:"
                        + " 60).",
                value -> reconnectWithin = value);
        usage.flag("--no-wait", "Returns at once; exomem keeps waiting.", () -> noWait = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem receive web --listen unix:/run/web.migration",
                "  exomem receive web --listen hostb:7000 --tls /etc/exomem/pki/hostb",
                "  exomem migrate web --cancel           also ends waiting");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        Output output = outputOption.on(streams);
        ObjectNode wish = Json.object().put("vm", vm).put("uri", listen).put("reconnect-within", reconnectWithin);
        if (vmmQmp != null) {
            wish.put("vmm-qmp", vmmQmp.toAbsolutePath().toString());
        }
        security.addTo(wish);
        return control.connect(session -> {
            session.execute("migrate-incoming", wish);
            return noWait
                    ? ExitCode.OK
                    : new MigrationWatch(session, vm, output).untilOver("exomem keeps waiting for the VM");
        });
    }
}
