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
import java.time.Duration;
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

/** Rules for everything that is served over HTTP, with pages of this test. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HttpServerTest {
    /** Bytes, more than the sockets' buffers hold. */
    private static final int BIG = 32 << 20;

    private static final byte[] MUCH = new byte[1 << 16];
    private static final Duration SOON = Duration.ofMillis(5);
    private static final Duration LONG = Duration.ofHours(1);
    private static final Duration SHORT = Duration.ofMillis(300);

    private static final String END = "Connection: close\r\n\r\n";

    @TempDir
    Path folder;

    private final AtomicReference<HttpStream.Client> streaming = new AtomicReference<>();
    private final CountDownLatch gone = new CountDownLatch(1);
    private Map<String, HttpRoute> routes;
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
        routes = Map.of(
                "/page", HttpRoute.get(request -> HttpAnswer.text(200, "page\n").now()),
                "/query",
                        HttpRoute.get(request ->
                                HttpAnswer.text(200, request.query().toString()).now()),
                "/echo",
                        HttpRoute.post(
                                request -> HttpAnswer.text(200, request.text()).now()),
                "/fault",
                        HttpRoute.get(request -> {
                            throw new IllegalStateException("of the test");
                        }),
                "/stream", HttpRoute.get(request -> new HttpAnswer.Lasting("text/event-stream", stream).now()),
                "/linked",
                        HttpRoute.linked(
                                request -> HttpAnswer.text(200, "linked\n").now()),
                "/big",
                        HttpRoute.get(
                                request -> HttpAnswer.text(200, "x".repeat(BIG)).now()));
        server = start(HttpLimits.USUAL);
    }

    private HttpServer start(HttpLimits limits) throws IOException {
        return HttpServer.start(
                "test",
                new HttpConfig(
                        List.of(
                                new HttpAddress.Tcp(InetAddress.getLoopbackAddress(), 0),
                                new HttpAddress.Local(folder.resolve("socket"))),
                        Optional.empty()),
                routes,
                limits);
    }

    private void restart(HttpLimits limits) throws IOException {
        server.close();
        server = start(limits);
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
        // A user who forwards a port to the socket reaches it with a browser.
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
        try (Socket socket = beginUnreadStream()) {
            assertThat(socket.isConnected()).isTrue();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "/page, cross-site, no-cors, image, 403",
        "/page, same-site, cors, empty, 403",
        "/page, cross-site, navigate, document, 403",
        "/stream, cross-site, no-cors, image, 403",
        "/linked, cross-site, no-cors, script, 403",
        "/linked, cross-site, navigate, iframe, 403",
        "/linked, cross-site, navigate, document, 200",
        "/linked, same-site, navigate, document, 200",
        "/page, same-origin, cors, empty, 200",
        "/page, none, navigate, document, 200",
    })
    void aPageOfAnotherSiteMayLinkToAPageAndAskForNothingElse(
            String path, String site, String mode, String destination, int status) throws Exception {
        assertThat(ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: " + site
                        + "\r\nSec-Fetch-Mode: " + mode + "\r\nSec-Fetch-Dest: " + destination + "\r\n" + END))
                .startsWith("HTTP/1.1 " + status);
    }

    @Test
    void whoAsksForNothingLosesItsPlace() throws Exception {
        restart(new HttpLimits(SHORT, LONG, LONG));
        try (Socket socket = connect()) {
            assertThat(socket.getInputStream().read()).isEqualTo(-1);
        }
        try (Socket socket = connect()) {
            socket.getOutputStream()
                    .write("GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .endsWith("page\n");
        }
    }

    @Test
    void whoAsksByteByByteWithoutEndLosesItsPlace() throws Exception {
        restart(new HttpLimits(SHORT, LONG, LONG));
        try (Socket socket = connect()) {
            awaitClosed(socket);
        }
    }

    @Test
    void whoDoesNotReadItsAnswerLosesItsPlace() throws Exception {
        restart(new HttpLimits(LONG, SHORT, LONG));
        try (Socket socket = connect()) {
            socket.getOutputStream()
                    .write("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            awaitClosed(socket);
        }
    }

    @Test
    void whoReadsABigAnswerHasItWhole() throws Exception {
        assertThat(ask("GET /big HTTP/1.1\r\nHost: localhost\r\n" + END)).hasSizeGreaterThan(BIG);
    }

    /** Sends a byte now and then until the other end has closed the connection. */
    private static void awaitClosed(Socket socket) {
        await().pollInterval(Duration.ofMillis(20)).until(() -> {
            try {
                socket.getOutputStream().write('G');
                return false;
            } catch (IOException e) {
                return true;
            }
        });
    }

    @Test
    void aStreamWhoseClientDoesNotReadIsGoneSoonAfterItHasEnded() throws Exception {
        restart(new HttpLimits(LONG, LONG, SHORT));
        try (Socket socket = beginUnreadStream()) {
            streaming.get().end();
            gone.await();
            assertThat(socket.isConnected()).isTrue();
        }
    }

    @Test
    void aStreamWhoseClientDoesNotReadIsGoneAfterAWhileAlsoIfItDoesNotEnd() throws Exception {
        restart(new HttpLimits(LONG, SHORT, LONG));
        try (Socket socket = beginUnreadStream()) {
            await().pollInterval(SOON).until(() -> {
                streaming.get().send(MUCH);
                return gone.getCount() == 0;
            });
            assertThat(socket.isConnected()).isTrue();
        }
    }

    private Socket beginUnreadStream() throws IOException {
        Socket socket = connect();
        socket.getOutputStream()
                .write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
        await().until(() -> streaming.get() != null);
        await().pollInterval(SOON).until(() -> !streaming.get().send(MUCH));
        return socket;
    }

    /** CTL-19: descriptors are reserved for the server up to the number that it can open. */
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
