package org.exomem.backend.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.migration.stream.wire.tls.Pki;

/** {@code exomem pki init}. */
final class PkiInitCommand implements Command {
    private String folder = "";
    private final List<String> hosts = new ArrayList<>();

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Creates a certificate authority and host certificates for TLS.",
                "If the folder has an authority already, only adds hosts. Never overwrites a file. The folder DIR/NAME"
                        + " gets a host's certificate, its key and the authority's certificate: copy it to that"
                        + " host. Copy the authority's key, DIR/ca-key.pem, to no host. Each host with such a folder"
                        + " may migrate VMs to every other one.");
        usage.parameter("DIR", "The folder; created if it does not exist.", Completion.FILE, value -> folder = value);
        usage.repeatableOption(
                "--host",
                "NAME",
                "A host's name or IP address, as in addresses for \"exomem migrate --to\"; may be repeated.",
                Completion.NOTHING,
                this::addHost);
        usage.section(
                "Examples",
                "  exomem pki init /etc/exomem/pki --host alpha --host beta.example.org",
                "  exomem pki init /etc/exomem/pki --host 10.0.0.7    adds a host by its address");
    }

    /** Checks the name before anything is made, so that a mistake leaves nothing half done. */
    private void addHost(String host) throws UsageException {
        try {
            Pki.checkHost(host);
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        }
        hosts.add(host);
    }

    @Override
    public int run(Streams streams) {
        PrintWriter out = streams.out();
        Path authority = Path.of(folder);
        try {
            Pki pki = Pki.in(authority);
            out.println((pki.isNew() ? "created the authority " : "using the authority ")
                    + authority.resolve(Pki.CA_CERTIFICATE) + "; keep " + authority.resolve(Pki.CA_KEY) + " secret");
            for (String host : hosts) {
                out.println("created a certificate for " + host + "; copy " + pki.addHost(host) + " to that host");
            }
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
