package org.exomem.backend.command;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.ui.TokenFile;
import org.exomem.backend.ui.UiServer;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.jspecify.annotations.Nullable;

/** {@code exomem ui}. */
final class UiCommand implements Command {
    private static final String LISTEN = "--listen";
    private static final String TLS = "--tls";
    /** The default, for this host only. */
    private static final String USUAL = "127.0.0.1:8747";

    private final ControlOption control = new ControlOption();
    private String listen = USUAL;
    private @Nullable String tls;
    private boolean allowChanges;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Serves a web page with all VMs and maps of their memory, until Ctrl-C.",
                "The page shows changes live, and is read-only without --allow-changes. It loads nothing from other"
                        + " hosts. \"exomem serve --ui\" serves it too.");
        usage.option(
                LISTEN,
                "ADDRESS",
                "The address to listen on: a PORT of this host, IPV4:PORT, [IPV6]:PORT or unix:PATH (default: " + USUAL
                        + ").",
                Completion.NOTHING,
                value -> listen = value);
        usage.option(
                TLS,
                "DIR",
                "Serves over TLS, to browsers with certificates: this host's folder, as \"exomem pki init\" creates"
                        + " it. Required for addresses that other hosts can reach.",
                Completion.FILE,
                value -> tls = value);
        usage.flag(
                "--allow-changes",
                "Lets the page change sizes and cancel migrations, with the printed token. The token is also in a file"
                        + " next to the control socket that only this user can read.",
                () -> allowChanges = true);
        control.describe(usage);
    }

    @Override
    public int run(Streams streams) throws Exception {
        HttpConfig config = config();
        // Fails at once if no process serves.
        control.connect(session -> ExitCode.OK);
        CountDownLatch end = new CountDownLatch(1);
        Optional<String> secret = allowChanges ? Optional.of(TokenFile.newToken()) : Optional.empty();
        // The file is written only after the start succeeded: it may belong to another process that still serves.
        try (UiServer server = UiServer.start(config, control.socket(), secret);
                @Nullable TokenFile token = secret.map(this::file).orElse(null);
                EndOnSignal _ = EndOnSignal.after(() -> remove(token))) {
            for (HttpAddress address : server.addresses()) {
                String url = address.url(config.tls().isPresent());
                streams.out().println(secret.map(of -> url + "#token=" + of).orElse(url));
            }
            if (token != null) {
                streams.note("the token is in " + token.path());
            }
            streams.out().flush();
            end.await();
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
        return ExitCode.OK;
    }

    private HttpConfig config() throws ConfigException {
        Optional<Path> certificates = tls == null ? Optional.empty() : Optional.of(ServeConfig.path(TLS, tls));
        HttpConfig config = new HttpConfig(HttpConfig.addresses(LISTEN, listen), certificates);
        config.check("the page", TLS + " DIR");
        return config;
    }

    private TokenFile file(String token) {
        Path socket = control.socket();
        try {
            return TokenFile.make(socket.resolveSibling(socket.getFileName() + ".ui-token"), token);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "can't create the token file: " + e);
        }
    }

    private static void remove(@Nullable TokenFile token) {
        if (token != null) {
            try {
                token.close();
            } catch (IOException e) {
                // The next process replaces it.
            }
        }
    }
}
