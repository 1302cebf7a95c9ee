package org.exomem.backend.ui;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.process.BackendProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;

/**
 * Two back-ends in this JVM, with an embedded VMM each, between which a VM "vm" may move, and a page of the first one.
 */
final class UiHosts implements AutoCloseable {
    static final String TOKEN = "0123456789abcdef";
    static final long MIB = 1 << 20;

    final EmbeddedGuest guest;
    final UiServer server;
    private final Path folder;
    private final List<AutoCloseable> open = new ArrayList<>();

    UiHosts(Path folder) throws IOException, ConfigException {
        this.folder = folder;
        guest = host("a", UnaryOperator.identity());
        host("b", EmbeddedOptions::thatIsIncoming);
        server = UiServer.start(http("0"), control("a"), Optional.of(TOKEN));
        open.add(server);
    }

    private EmbeddedGuest host(String name, UnaryOperator<EmbeddedOptions> changes)
            throws IOException, ConfigException {
        Path socket = folder.resolve(name + ".balloon");
        Path qmp = folder.resolve(name + ".qmp");
        BackendProcess process = new BackendProcess();
        open.add(process);
        process.start(
                new ServeConfig(
                                Optional.of(control(name)),
                                List.of(ServeConfig.balloon("vm=vm,socket=" + socket + ",vmm-qmp=" + qmp)),
                                List.of(),
                                Optional.empty())
                        .checked(),
                Optional.of(control(name)));
        EmbeddedOptions options = EmbeddedOptions.of(folder.resolve(name + ".ram"), 128 * MIB, qmp)
                .withLog(folder.resolve(name + ".log"));
        EmbeddedOptions changed = changes.apply(options);
        EmbeddedGuest started = EmbeddedGuest.start(changed.incoming() ? changed : changed.withBalloon(socket));
        open.add(started);
        return started;
    }

    Path control(String name) {
        return folder.resolve(name + ".control");
    }

    static HttpConfig http(String address) throws ConfigException {
        return new HttpConfig(HttpConfig.addresses("", address), Optional.empty());
    }

    int port() {
        return ((HttpAddress.Tcp) server.addresses().getFirst()).port();
    }

    String url() {
        return "http://127.0.0.1:" + port() + "/";
    }

    /** Moves the VM, at {@code bandwidth} bytes a second. */
    void migrate(long bandwidth) throws IOException {
        String uri = "unix:" + folder.resolve("stream");
        try (QmpClient there = QmpClient.connect(control("b"));
                QmpClient here = QmpClient.connect(control("a"))) {
            there.execute("migrate-incoming", Json.object().put("vm", "vm").put("uri", uri));
            here.execute(
                    "migrate", Json.object().put("vm", "vm").put("uri", uri).put("max-bandwidth", bandwidth));
        }
    }

    @Override
    public void close() {
        for (AutoCloseable each : open.reversed()) {
            try {
                each.close();
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }
    }
}
