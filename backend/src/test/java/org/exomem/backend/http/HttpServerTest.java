package org.exomem.backend.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What holds for all that is served over HTTP, with pages of this test. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HttpServerTest {
    private static final String END = "Connection: close\r\n\r\n";

    @TempDir
    Path folder;

    private final AtomicReference<HttpStream.Client> streaming = new AtomicReference<>();
    private final CountDownLatch gone = new CountDownLatch(1);
    private HttpServer server;

    @BeforeEach
    void serve() throws Exception {
        HttpStream stream = new HttpStream() {
            @Override
            public void begin(Client client) {
                streaming.set(client);
            }

            @Override
            public void gone() {
                gone.countDown();
            }
        };
        server = HttpServer.start(
                "test",
                new HttpConfig(
                        List.of(
                                new HttpAddress.Tcp(InetAddress.getLoopbackAddress(), 0),
                                new HttpAddress.Local(folder.resolve("socket"))),
                        Optional.empty()),
                Map.of(
                        "/page",
                                HttpRoute.get(request ->
                                        HttpAnswer.text(200, "page\n").now()),
                        "/query",
                                HttpRoute.get(request -> HttpAnswer.text(
                                                200, request.query().toString())
                                        .now()),
                        "/echo",
                                HttpRoute.post(request ->
                                        HttpAnswer.text(200, request.text()).now()),
                        "/fault",
                                HttpRoute.get(request -> {
                                    throw new IllegalStateException("of the test");
                                }),
                        "/stream",
                                HttpRoute.get(request -> new HttpAnswer.Lasting("text/event-stream", stream).now())));
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private Socket connect() throws IOException {
        int port = ((HttpAddress.Tcp) server.addresses().getFirst()).port();
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    private String ask(String request) throws IOException {
        try (Socket socket = connect()) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private String askOnSocket(String request) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(folder.resolve("socket")));
            channel.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.UTF_8)));
            return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1, '', 200",
        "127.0.0.1:9469, '', 200",
        "[::1]:9469, '', 200",
        "localhost:9469, '', 200",
        "192.0.2.7, '', 200",
        "localhost:1, http://localhost:1, 200",
        "evil.example, '', 403",
        "evil.example:9469, http://evil.example:9469, 403",
        "127.0.0.1.evil.example, '', 403",
        "localhost.evil.example, '', 403",
        "localhost, http://evil.example, 403",
        "localhost:1, http://localhost:2, 403",
        "localhost:1, https://localhost:1, 403",
        "localhost, null, 403",
        "'', '', 403",
    })
    void aPageOfAForeignNameMayAskForNothing(String host, String origin, int status) throws Exception {
        String request = "GET /page HTTP/1.1\r\nHost: " + host + "\r\n"
                + (origin.isEmpty() ? "" : "Origin: " + origin + "\r\n") + END;
        assertThat(ask(request)).startsWith("HTTP/1.1 " + status);
        // Who forwards a port to the socket has a browser on it.
        assertThat(askOnSocket(request)).startsWith("HTTP/1.1 " + status);
    }

    @Test
    void aRequestWithNoHostOrTwoIsRefusedUnlessItIsOld() throws Exception {
        assertThat(ask("GET /page HTTP/1.1\r\n" + END)).startsWith("HTTP/1.1 403");
        assertThat(ask("GET /page HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n" + END))
                .startsWith("HTTP/1.1 403");
        assertThat(ask("GET /page HTTP/1.0\r\n\r\n")).startsWith("HTTP/1.1 200").endsWith("\r\n\r\npage\n");
        assertThat(ask("GET /page HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n"))
                .startsWith("HTTP/1.1 403");
    }

    @Test
    void eachAnswerTellsABrowserToTakeNothingFromElsewhere() throws Exception {
        for (String path : List.of("/page", "/nothing", "/stream")) {
            String method = path.equals("/stream") ? "HEAD " : "GET ";
            assertThat(ask(method + path + " HTTP/1.1\r\nHost: localhost\r\n" + END))
                    .contains("default-src 'none'", "nosniff", "no-store", "frame-ancestors 'none'");
        }
    }

    @Test
    void anAddressMayHaveParametersAndABodyIsReadWhereThereMayBeOne() throws Exception {
        assertThat(ask("GET /query?a=%20b&c HTTP/1.1\r\nHost: localhost\r\n" + END))
                .endsWith("{a=[ b], c=[]}");
        assertThat(ask("GET /query?%zz HTTP/1.1\r\nHost: localhost\r\n" + END)).startsWith("HTTP/1.1 400");
        assertThat(ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n" + END + "hello"))
                .endsWith("\r\n\r\nhello");
        assertThat(ask("GET /echo HTTP/1.1\r\nHost: localhost\r\n" + END))
                .startsWith("HTTP/1.1 405")
                .containsIgnoringCase("allow: POST\r\n");
        assertThat(ask("POST /page HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + END))
                .startsWith("HTTP/1.1 405")
                .containsIgnoringCase("allow: GET, HEAD\r\n");
    }

    @Test
    void aPageThatFailsIsAFaultOfTheServerAndOfThatRequestAlone() throws Exception {
        String twice =
                ask("GET /fault HTTP/1.1\r\nHost: localhost\r\n\r\nGET /page HTTP/1.1\r\nHost: localhost\r\n" + END);
        assertThat(twice).startsWith("HTTP/1.1 500").contains("HTTP/1.1 200 OK").endsWith("page\n");
    }

    @Test
    void aStreamGoesOnUntilTheServerEndsIt() throws Exception {
        try (Socket socket = connect()) {
            socket.getOutputStream()
                    .write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            await().until(() -> streaming.get() != null);
            assertThat(streaming.get().send("one\n".getBytes(StandardCharsets.UTF_8)))
                    .isTrue();
            streaming.get().end();
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .contains("text/event-stream")
                    .endsWith("4\r\none\n\r\n0\r\n\r\n");
            gone.await();
        }
    }

    @Test
    void aStreamIsToldThatItsClientIsGoneAlsoOneThatSaysMore() throws Exception {
        try (Socket socket = connect()) {
            socket.getOutputStream()
                    .write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            await().until(() -> streaming.get() != null);
            socket.getOutputStream()
                    .write("GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            gone.await();
            await().until(() -> !streaming.get().send(new byte[1]));
        }
    }

    @Test
    void aStreamWhoseClientDoesNotReadTakesNoMore() throws Exception {
        try (Socket socket = connect()) {
            socket.getOutputStream()
                    .write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            await().until(() -> streaming.get() != null);
            byte[] much = new byte[1 << 16];
            await().until(() -> !streaming.get().send(much));
        }
    }

    /** CTL-19: what is kept for it is what it can come to have open. */
    @Test
    @Tag("CTL-19")
    void descriptorsThatAreKeptAreThoseOfItsSocketsItsLoopAndAllClients() {
        assertThat(server.descriptors()).isEqualTo(2 + 3 + HttpServer.MOST_CLIENTS);
    }

    @Test
    void whatOthersCouldReadWithoutACertificateIsNotServed() throws Exception {
        for (String address : List.of("0.0.0.0:0", "[::]:0", "192.0.2.7:1")) {
            HttpConfig config = new HttpConfig(HttpConfig.addresses("", address), Optional.empty());
            assertThatThrownBy(() -> HttpServer.start("test", config, Map.of()))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
