package org.exomem.backend.command;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
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

    private final ControlOption control = new ControlOption();
    private String listen = UiAddress.USUAL;
    private boolean allowChanges;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Serves a web page with all VMs and the map of each one's memory, until it is ended.",
                "It shows what changes as it changes, and reads only unless told otherwise. The page asks no other host"
                        + " for anything. \"exomem serve --ui\" serves it too.");
        usage.option(
                LISTEN,
                "ADDRESS:PORT",
                "Where to listen (default: " + UiAddress.USUAL + "). An address that other hosts reach needs the token,"
                        + " which travels unencrypted: prefer \"ssh -L\".",
                Completion.NOTHING,
                value -> listen = value);
        usage.flag(
                "--allow-changes",
                "Lets the page change sizes and cancel migrations, with the token that is printed. It is also in a file"
                        + " beside the control socket that only this user can read.",
                () -> allowChanges = true);
        control.describe(usage);
    }

    @Override
    public int run(Streams streams) throws Exception {
        InetSocketAddress address = UiAddress.parse(LISTEN, listen);
        // Says at once if nobody serves.
        control.connect(session -> ExitCode.OK);
        boolean needsToken = allowChanges || !address.getAddress().isLoopbackAddress();
        CountDownLatch end = new CountDownLatch(1);
        @Nullable TokenFile token = needsToken ? token() : null;
        try (token;
                UiServer server = UiServer.start(
                        address, control.socket(), Optional.ofNullable(token).map(TokenFile::token), allowChanges);
                EndOnSignal _ = EndOnSignal.after(() -> remove(token))) {
            String url = UiAddress.url(server.address());
            streams.out().println(token == null ? url : url + "#token=" + token.token());
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

    private TokenFile token() {
        Path socket = control.socket();
        try {
            return TokenFile.make(socket.resolveSibling(socket.getFileName() + ".ui-token"));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "no file for the token can be made: " + e);
        }
    }

    private static void remove(@Nullable TokenFile token) {
        if (token != null) {
            try {
                token.close();
            } catch (IOException e) {
                // The next one replaces it.
            }
        }
    }
}
