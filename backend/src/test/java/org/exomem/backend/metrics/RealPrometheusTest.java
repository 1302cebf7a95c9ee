package org.exomem.backend.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.ExomemProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.migration.stream.wire.tls.Pki;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The alert rules and metrics, checked with the real Prometheus and its promtool. */
@Timeout(value = 300, unit = TimeUnit.SECONDS)
class RealPrometheusTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final long MEMORY = 64 << 20;
    private static final long PAGE = 4096;

    @TempDir
    Path folder;

    private final List<Process> started = new ArrayList<>();

    @AfterEach
    void endAll() throws InterruptedException {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void promtoolHasNothingToSayOfAScrape() throws Exception {
        Prometheus.program("promtool");
        try (MeasuredVms vms = new MeasuredVms(
                        folder, "vm=web,size=32M", "mem:vm=web,id=m0,addr=4G,size=1G,block=4M,requested=64M");
                GuestRam ram = GuestRam.ofSize(MEMORY);
                BalloonDriver driver = attach(ram)) {
            driver.inflate(16 << 20, 16 * PAGE);
            Prometheus.Said said = Prometheus.promtool(vms.get("/metrics").body(), "check", "metrics");
            assertThat(said.text()).isEmpty();
            assertThat(said.code()).isZero();
        }
    }

    @Test
    void alertRulesAreRightAndPassTheirTests() throws Exception {
        String rules = MetricsDocumentTest.prometheus().resolve("alerts.yaml").toString();
        Prometheus.Said checked = Prometheus.promtool("", "check", "rules", rules);
        assertThat(checked.text()).contains("SUCCESS");
        assertThat(checked.code()).isZero();
        Prometheus.Said tested = Prometheus.promtool(
                "",
                "test",
                "rules",
                MetricsDocumentTest.prometheus().resolve("alerts-test.yaml").toString());
        assertThat(tested.text()).contains("SUCCESS").doesNotContain("FAILED");
        assertThat(tested.code()).isZero();
    }

    @Test
    void prometheusScrapesAProcessOverTlsAndFiresWhenAQueueBreaks() throws Exception {
        Path prometheus = Prometheus.program("prometheus");
        Path pki = folder.resolve("pki");
        Path ours = Pki.in(pki).addHost("127.0.0.1");
        Path theirs = Pki.in(pki).addHost("prometheus.test");
        Path control = folder.resolve("control");
        Process exomem = run(
                ExomemProcess.of(
                        "serve",
                        "--control",
                        control.toString(),
                        "--metrics",
                        "127.0.0.1:0",
                        "--metrics-tls",
                        ours.toString(),
                        "--balloon",
                        "vm=web,socket=" + folder.resolve("device0")),
                "exomem.log");
        ExomemProcess.awaitControl(exomem, control);
        int port = port("exomem.log", "metrics on 127.0.0.1:");

        Path config = folder.resolve("prometheus.yaml");
        Files.writeString(config, """
                global: {scrape_interval: 1s, evaluation_interval: 1s}
                rule_files: [alerts.yaml]
                scrape_configs:
                  - job_name: exomem
                    scheme: https
                    tls_config:
                      ca_file: %s
                      cert_file: %s
                      key_file: %s
                    static_configs:
                      - targets: ["127.0.0.1:%d"]
                """.formatted(
                        theirs.resolve(Pki.CA_CERTIFICATE),
                        theirs.resolve(Pki.HOST_CERTIFICATE),
                        theirs.resolve(Pki.HOST_KEY),
                        port));
        // The test does not wait two minutes.
        Files.writeString(
                folder.resolve("alerts.yaml"),
                Files.readString(MetricsDocumentTest.prometheus().resolve("alerts.yaml"))
                        .replaceAll("for: [0-9]+m", "for: 0s"));
        run(
                new ProcessBuilder(
                        prometheus.toString(),
                        "--config.file=" + config,
                        "--storage.tsdb.path=" + folder.resolve("data"),
                        "--web.listen-address=127.0.0.1:0",
                        "--log.level=info"),
                "prometheus.log");
        int web = port("prometheus.log", "Listening on\" address=127.0.0.1:");

        try (GuestRam ram = GuestRam.ofSize(MEMORY);
                BalloonDriver driver = attach(ram)) {
            driver.inflate(16 << 20, 256 * PAGE);
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(value(web, "exomem_balloon_inflated_bytes{vm=\"web\"}"))
                            .contains(256 * PAGE + ""));
            assertThat(value(web, "up{job=\"exomem\"}")).contains("1");
            assertThat(value(web, "count(ALERTS) or vector(0)")).contains("0");

            driver.device().rings().getFirst().add(List.of(Buffer.readable(1L << 50, 16)));
            driver.device().rings().getFirst().kick();
            await().atMost(LIMIT)
                    .untilAsserted(
                            () -> assertThat(value(web, "count(ALERTS{alertname=\"ExomemQueueBroken\",vm=\"web\"})"))
                                    .contains("1"));
        }
        // A client without a certificate learns nothing.
        assertThat(Plain.get(port, "/metrics")).doesNotContain("exomem_");
    }

    private BalloonDriver attach(GuestRam ram) throws Exception {
        return BalloonDriver.start(AttachedDevice.attach(
                FrontEnd.connect(folder.resolve("device0")),
                ram,
                BalloonFeatures.LINUX | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG));
    }

    private Process run(ProcessBuilder command, String log) throws IOException {
        Process process = command.redirectErrorStream(true)
                .redirectOutput(folder.resolve(log).toFile())
                .start();
        started.add(process);
        return process;
    }

    /** The number that follows a text in a log. */
    private int port(String log, String before) {
        return await().atMost(LIMIT)
                .until(
                        () -> Files.readString(folder.resolve(log))
                                .lines()
                                .filter(line -> line.contains(before))
                                .findFirst()
                                .map(line -> line.substring(line.indexOf(before) + before.length())
                                        .replaceAll("[^0-9].*", ""))
                                .map(Integer::parseInt),
                        Optional::isPresent)
                .orElseThrow();
    }

    /** The value of the first series of an expression. */
    private static Optional<String> value(int port, String expression) throws IOException, InterruptedException {
        URI uri = URI.create("http://127.0.0.1:" + port + "/api/v1/query?query="
                + URLEncoder.encode(expression, StandardCharsets.UTF_8));
        try (HttpClient client = HttpClient.newHttpClient()) {
            String answer = client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
                    .body();
            JsonNode value = Json.parse(answer)
                    .path("data")
                    .path("result")
                    .path(0)
                    .path("value")
                    .path(1);
            return value.isMissingNode() ? Optional.empty() : Optional.of(value.asText());
        } catch (java.net.ConnectException e) {
            return Optional.empty();
        }
    }
}
