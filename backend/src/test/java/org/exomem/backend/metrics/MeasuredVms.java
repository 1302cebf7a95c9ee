package org.exomem.backend.metrics;

import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.process.BackendProcess;

/** A back-end in this JVM that serves metrics on a port of this host and on a socket. */
final class MeasuredVms implements AutoCloseable {
    private final BackendProcess process = new BackendProcess();
    private final HttpClient http = HttpClient.newHttpClient();

    /**
     * @param devices options of {@code --balloon} and {@code --mem}, without sockets; the latter begin with {@code
     * mem:}
     */
    MeasuredVms(Path folder, String... devices) throws IOException, ConfigException {
        ServeConfig config = ServeConfig.NOTHING;
        for (int i = 0; i < devices.length; i++) {
            String options = devices[i] + ",socket=" + folder.resolve("device" + i);
            config = config.and(
                    options.startsWith("mem:")
                            ? new ServeConfig(
                                    Optional.empty(),
                                    List.of(),
                                    List.of(ServeConfig.mem(options.substring("mem:".length()))),
                                    Optional.empty())
                            : new ServeConfig(Optional.empty(), List.of(ServeConfig.balloon(options))));
        }
        List<HttpAddress> addresses = new ArrayList<>();
        addresses.add(new HttpAddress.Tcp(InetAddress.getLoopbackAddress(), 0));
        addresses.add(new HttpAddress.Local(folder.resolve("metrics")));
        process.start(
                config.withMetrics(new HttpConfig(addresses, Optional.empty())).checked(),
                Optional.of(folder.resolve("control")));
    }

    int port() {
        return ((HttpAddress.Tcp) process.metricsAddresses().getFirst()).port();
    }

    HttpResponse<String> get(String path, String... headers) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    /** The value of the line that begins with {@code series}. */
    double value(String series) throws IOException, InterruptedException {
        return value(get("/metrics").body(), series);
    }

    static double value(String scrape, String series) {
        return scrape.lines()
                .filter(line -> line.startsWith(series + " "))
                .findFirst()
                .map(line -> Double.parseDouble(line.substring(series.length() + 1)))
                .orElse(Double.NaN);
    }

    @Override
    public void close() {
        http.close();
        process.close();
    }
}
