package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.qmp.Json;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code exomem receive}. */
@Command(
        name = "receive",
        sortOptions = false,
        description = {
            "Waits for a VM that \"exomem migrate\" moves here.",
            "",
            "The VMM must be there already and wait too (QEMU: -incoming defer), with memory of the same names and "
                    + "sizes in files that it shares, and without its vhost-user devices: exomem plugs them in when "
                    + "the guest runs."
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  exomem receive web --listen unix:/run/web.migration",
            "  exomem receive web --listen hostb:7000 --tls /etc/exomem/pki/hostb",
            "  exomem migrate web --cancel           ends waiting, too"
        })
final class ReceiveCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Mixin
    private Output output;

    @Parameters(index = "0", paramLabel = "VM", description = "The name that the VM has here.")
    private String vm;

    @Option(
            names = "--listen",
            required = true,
            paramLabel = "ADDRESS",
            description = "Where to wait: HOST:PORT, [IPV6]:PORT or unix:PATH; port 0 takes any that is free.")
    private String listen = "";

    @Mixin
    private SecurityOptions security;

    @Option(
            names = "--vmm-qmp",
            paramLabel = "PATH",
            description = "The QMP socket of the VM's VMM, if \"exomem serve\" was not told.")
    private @Nullable Path vmmQmp;

    @Option(
            names = "--reconnect-within",
            paramLabel = "SECONDS",
            description = "How long what has come is kept for the source when the connection is lost; 0: not at all "
                    + "(default: ${DEFAULT-VALUE}).",
            defaultValue = "60")
    private int reconnectWithin;

    @Option(names = "--no-wait", description = "Returns at once; exomem goes on waiting.")
    private boolean noWait;

    @Override
    public Integer call() throws ConfigException {
        ObjectNode wish = Json.object()
                .put("vm", vm)
                .put("uri", SecurityOptions.address(listen))
                .put("reconnect-within", reconnectWithin);
        if (vmmQmp != null) {
            wish.put("vmm-qmp", vmmQmp.toAbsolutePath().toString());
        }
        security.addTo(wish);
        return control.connect(session -> {
            session.execute("migrate-incoming", wish);
            return noWait ? ExitCode.OK : new MigrationWatch(session, vm, output).untilOver();
        });
    }
}
