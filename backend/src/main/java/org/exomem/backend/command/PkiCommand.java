package org.exomem.backend.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.exomem.migration.stream.wire.tls.Pki;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code exomem pki}. */
@Command(
        name = "pki",
        description = "Certificates for migrations.",
        subcommands = PkiCommand.Init.class,
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n")
final class PkiCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        throw new CommandFailure(ExitCode.USAGE, "say what: \"exomem pki init DIR --host NAME\" makes certificates");
    }

    /** {@code exomem pki init}. */
    @Command(
            name = "init",
            description = {
                "Makes a certificate authority in a folder, and certificates of hosts for migrations with TLS.",
                "",
                "A folder that has an authority already gets more hosts. Nothing that exists is overwritten. Each"
                        + " host's certificate, its key and the authority's certificate are in a folder DIR/NAME, which"
                        + " goes to that host; the authority's key, DIR/ca-key.pem, goes nowhere. Any host with such a"
                        + " folder may migrate to any other."
            },
            footerHeading = "%nExamples:%n",
            footer = {
                "  exomem pki init /etc/exomem/pki --host alpha --host beta.example.org",
                "  exomem pki init /etc/exomem/pki --host 10.0.0.7    one more, by its address"
            })
    static final class Init implements Callable<Integer> {
        @Spec
        private CommandSpec spec;

        @Parameters(paramLabel = "DIR", description = "The folder; made if it is not there.")
        private Path folder;

        @Option(
                names = "--host",
                paramLabel = "NAME",
                description =
                        "A host's name or IP address, as it is typed where guests are sent to it; may be repeated.")
        private List<String> hosts = new ArrayList<>();

        @Override
        public Integer call() {
            PrintWriter out = spec.commandLine().getOut();
            try {
                // All of them first: a mistake in a name must not leave half of what was asked for.
                hosts.forEach(Pki::checkHost);
                Pki pki = Pki.in(folder);
                out.println((pki.isNew() ? "made the authority " : "using the authority ")
                        + folder.resolve(Pki.CA_CERTIFICATE) + "; keep " + folder.resolve(Pki.CA_KEY) + " secret");
                for (String host : hosts) {
                    out.println("made a certificate for " + host + "; copy " + pki.addHost(host) + " to it");
                }
                return ExitCode.OK;
            } catch (IllegalArgumentException e) {
                throw new CommandFailure(ExitCode.USAGE, String.valueOf(e.getMessage()));
            } catch (IOException e) {
                throw new CommandFailure(ExitCode.FAILED, e);
            } finally {
                out.flush();
            }
        }
    }
}
