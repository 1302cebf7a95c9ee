package org.exomem.backend.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Input of metrics clients other than a plain request for a page. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class HttpTest {
    private static final String CLOSE = "Host: localhost\r\nConnection: close\r\n\r\n";

    @TempDir
    Path folder;

    @Test
    void onlyGetAndHeadAreUnderstood() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=a")) {
            for (String method : List.of("POST", "PUT", "DELETE", "OPTIONS", "BREW")) {
                assertThat(Plain.send(vms.port(), method + " /metrics HTTP/1.1\r\nContent-Length: 0\r\n" + CLOSE))
                        .startsWith("HTTP/1.1 405 ")
                        .containsIgnoringCase("allow: GET, HEAD");
            }
            String head = Plain.send(vms.port(), "HEAD /metrics HTTP/1.1\r\n" + CLOSE);
            assertThat(head).startsWith("HTTP/1.1 200 ").endsWith("\r\n\r\n");
            assertThat(Pattern.compile("content-length: [0-9]{4,}")
                            .matcher(head)
                            .find())
                    .isTrue();
        }
    }

    @Test
    void pathThatIsNotThereSaysWhatIs() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=a")) {
            assertThat(Plain.get(vms.port(), "/"))
                    .startsWith("HTTP/1.1 404 ")
                    .endsWith("not found; there is /healthz, /metrics\n");
            assertThat(Plain.get(vms.port(), "/metrics?name=x")).startsWith("HTTP/1.1 200 ");
        }
    }

    @Test
    void oldClientsAreAnsweredAndTheConnectionCloses() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=a")) {
            assertThat(Plain.send(vms.port(), "GET /healthz HTTP/1.0\r\n\r\n")).endsWith("\r\n\r\nok\n");
            assertThat(Plain.send(vms.port(), "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"))
                    .endsWith("\r\n\r\nok\n");
        }
    }

    @Test
    void requestsThatComeAtOnceAreAnsweredInTheirOrder() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=a")) {
            String answers = Plain.send(
                    vms.port(),
                    "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20) + "GET /nothing HTTP/1.1\r\n"
                            + CLOSE);
            assertThat(answers.split("HTTP/1\\.1 200 OK", -1)).hasSize(21);
            assertThat(answers.lastIndexOf("404")).isGreaterThan(answers.lastIndexOf("200 OK"));
        }
    }

    @Test
    void whatIsNoHttpOrTooLongIsRefused() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=a")) {
            assertThat(Plain.send(vms.port(), "GET /" + "x".repeat(5000) + " HTTP/1.1\r\n" + CLOSE))
                    .startsWith("HTTP/1.1 400 ");
            assertThat(Plain.send(vms.port(), "GET / HTTP/1.1\r\nA: " + "x".repeat(20000) + "\r\n" + CLOSE))
                    .startsWith("HTTP/1.1 400 ");
            assertThat(Plain.send(
                            vms.port(),
                            "GET /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n" + CLOSE + "x".repeat(9000)))
                    .startsWith("HTTP/1.1 413 ");
            long seed = new Random().nextLong();
            Random random = new Random(seed);
            for (int i = 0; i < 200; i++) {
                byte[] bytes = new byte[1 + random.nextInt(300)];
                random.nextBytes(bytes);
                String sent = new String(bytes, StandardCharsets.ISO_8859_1) + "\r\n\r\n";
                assertThat(Plain.send(vms.port(), sent + "\r\n"))
                        .as("seed %d, round %d", seed, i)
                        .matches(answer -> answer.isEmpty() || answer.startsWith("HTTP/1.1 4"));
            }
            assertThat(vms.get("/healthz").statusCode()).isEqualTo(200);
        }
    }

    @Test
    void clientsThatHoldTheirConnectionsLeaveDescriptorsForVms() throws Exception {
        List<SocketChannel> idle = new ArrayList<>();
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=a")) {
            for (int i = 0; i < 64; i++) {
                SocketChannel channel = Plain.connect(vms.port());
                idle.add(channel);
                channel.write(ByteBuffer.wrap(
                        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
                channel.read(ByteBuffer.allocate(1000));
            }
            assertThat(Plain.get(vms.port(), "/healthz")).isEmpty();
            idle.removeFirst().close();
            org.awaitility.Awaitility.await()
                    .until(() -> Plain.get(vms.port(), "/healthz").endsWith("ok\n"));
        } finally {
            for (SocketChannel channel : idle) {
                channel.close();
            }
        }
    }
}
