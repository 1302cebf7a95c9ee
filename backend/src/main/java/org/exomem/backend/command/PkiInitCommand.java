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
                "Makes a certificate authority and certificates of hosts, for migrations with TLS.",
                "A folder that has an authority already gets more hosts. Nothing that exists is overwritten. Each"
                        + " host's certificate, its key and the authority's certificate are in a folder DIR/NAME, which"
                        + " goes to that host; the authority's key, DIR/ca-key.pem, goes nowhere. Any host with such a"
                        + " folder may migrate to any other.");
        usage.parameter("DIR", "The folder; made if it is not there.", Completion.FILE, value -> folder = value);
        usage.repeatableOption(
                "--host",
                "NAME",
                "A host's name or IP address, as it is typed where guests are sent to it; may be repeated.",
                Completion.NOTHING,
                this::addHost);
        usage.section(
                "Examples",
                "  exomem pki init /etc/exomem/pki --host alpha --host beta.example.org",
                "  exomem pki init /etc/exomem/pki --host 10.0.0.7    one more, by its address");
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
            out.println((pki.isNew() ? "made the authority " : "using the authority ")
                    + authority.resolve(Pki.CA_CERTIFICATE) + "; keep " + authority.resolve(Pki.CA_KEY) + " secret");
            for (String host : hosts) {
                out.println("made a certificate for " + host + "; copy " + pki.addHost(host) + " to it");
            }
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
