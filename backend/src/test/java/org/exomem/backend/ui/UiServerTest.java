package org.exomem.backend.ui;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The answers of the page's server, and who may get them. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class UiServerTest {
    private static final String RIGHT = "Bearer " + UiHosts.TOKEN;

    @TempDir
    Path folder;

    private UiHosts hosts;

    @BeforeEach
    void serve() throws Exception {
        hosts = new UiHosts(folder);
    }

    @AfterEach
    void stop() {
        hosts.close();
    }

    private Socket connect() throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), hosts.port());
    }

    /** Sends a raw request, and reads until the server has finished. */
    private String ask(String request) throws IOException {
        try (Socket socket = connect()) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private String get(String path, String host) throws IOException {
        return ask("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    }

    private String change(String origin, String authorization, String body) throws IOException {
        return ask("POST /command HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
                + (origin.isEmpty() ? "" : "Origin: " + origin + "\r\n")
                + "Authorization: " + authorization + "\r\nContent-Length: " + body.length()
                + "\r\nConnection: close\r\n\r\n" + body);
    }

    @Test
    void thePageComesWithAPolicyThatLetsItAskNobodyElse() throws Exception {
        for (String path : List.of("/", "/ui.js", "/ui.css", "/icon.svg")) {
            assertThat(get(path, "127.0.0.1:8747"))
                    .startsWith("HTTP/1.1 200 OK")
                    .contains("default-src 'none'")
                    .contains("frame-ancestors 'none'")
                    .contains("nosniff");
        }
        assertThat(get("/../ui.js", "localhost")).startsWith("HTTP/1.1 404");
        assertThat(get("/UiServer.class", "[::1]:8747")).startsWith("HTTP/1.1 404");
    }

    @ParameterizedTest
    @ValueSource(strings = {"evil.example", "evil.example:8747", "127.0.0.1.evil.example", "", "localhost.evil"})
    void aPageOfAForeignNameMayNotAsk(String host) throws Exception {
        assertThat(get("/events", host)).startsWith("HTTP/1.1 403");
    }

    @ParameterizedTest
    @CsvSource({
        "'', right, 403",
        "http://evil.example, right, 403",
        "http://127.0.0.1:2, right, 403",
        "http://127.0.0.1:1, Bearer wrong, 403",
        "http://127.0.0.1:1, '', 403",
        "http://127.0.0.1:1, right, 200"
    })
    void aChangeNeedsTheOriginAndTheToken(String origin, String authorization, int status) throws Exception {
        String body = "{\"execute\":\"balloon\",\"arguments\":{\"vm\":\"vm\",\"value\":104857600}}";
        assertThat(change(origin, authorization.equals("right") ? RIGHT : authorization, body))
                .startsWith("HTTP/1.1 " + status);
        try (QmpClient client = QmpClient.connect(hosts.control("a"))) {
            JsonNode balloon = client.execute("query-balloon", Json.object().put("vm", "vm"));
            assertThat(balloon.has("target")).isEqualTo(status == 200);
        }
    }

    @Test
    void aCommandThatIsNotOfThePageIsRefused() throws Exception {
        String origin = "http://127.0.0.1:1";
        assertThat(change(origin, RIGHT, "{\"execute\":\"quit\",\"arguments\":{\"force\":true}}"))
                .startsWith("HTTP/1.1 403");
        assertThat(change(origin, RIGHT, "{\"execute\":\"balloon\"}")).startsWith("HTTP/1.1 403");
        assertThat(change(origin, RIGHT, "nonsense")).startsWith("HTTP/1.1 400");
        assertThat(change(origin, RIGHT, "{\"execute\":\"balloon\",\"arguments\":{\"vm\":\"nobody\",\"value\":1}}"))
                .startsWith("HTTP/1.1 200")
                .contains("\"error\"");
    }

    @Test
    void anAddressThatOtherHostsReachNeedsCertificates() {
        assertThatThrownBy(() -> UiServer.start(UiHosts.http("0.0.0.0:0"), hosts.control("a"), Optional.empty()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aPageOfAnotherSiteMayLinkToThePageAndTakesNoStream() throws Exception {
        String other = " HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\nSec-Fetch-Site: cross-site\r\n";
        for (String path : List.of("/events", "/access", "/ui.js")) {
            assertThat(ask("GET " + path + other + "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n\r\n"))
                    .startsWith("HTTP/1.1 403");
        }
        String opened = other + "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n";
        assertThat(ask("GET /events" + opened)).startsWith("HTTP/1.1 403");
        assertThat(ask("GET /" + opened)).startsWith("HTTP/1.1 200");
    }

    @Test
    void soManyPagesMayBeOpenAndTheNextIsToldSo() throws Exception {
        List<Socket> open = new ArrayList<>();
        try {
            for (int i = 0; i < UiServer.MOST_STREAMS; i++) {
                Socket socket = connect();
                open.add(socket);
                socket.getOutputStream()
                        .write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
                byte[] begin = socket.getInputStream().readNBytes(15);
                assertThat(new String(begin, StandardCharsets.UTF_8)).isEqualTo("HTTP/1.1 200 OK");
            }
            assertThat(get("/events", "localhost")).startsWith("HTTP/1.1 503").endsWith("too many open pages\n");
            // A HEAD request does not use up one of the clients.
            assertThat(ask("HEAD /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                    .startsWith("HTTP/1.1 503");
            // The page itself is still served.
            assertThat(get("/", "localhost")).startsWith("HTTP/1.1 200");
            open.removeFirst().close();
            await().until(() -> {
                Socket next = connect();
                open.add(next);
                next.getOutputStream()
                        .write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.UTF_8));
                return new String(next.getInputStream().readNBytes(15), StandardCharsets.UTF_8).endsWith("200 OK");
            });
        } finally {
            for (Socket each : open) {
                each.close();
            }
        }
    }

    @Test
    void requestsThatAreNoneEndTheirConnectionAndNothingElse() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 50; i++) {
            byte[] bytes = new byte[1 + random.nextInt(200)];
            random.nextBytes(bytes);
            try (Socket socket = connect()) {
                socket.getOutputStream().write(bytes);
                socket.shutdownOutput();
                socket.getInputStream().readAllBytes();
            } catch (IOException e) {
                // The connection was closed before all was sent.
            }
        }
        for (String query : List.of("?vm=vm&from=x", "?vm=vm&cells=-5&length=99999999999999999999", "?%zz")) {
            assertThat(get("/events" + query, "localhost")).as("seed %s", seed).startsWith("HTTP/1.1 400");
        }
        assertThat(get("/", "localhost")).startsWith("HTTP/1.1 200");
    }

    @Test
    void streamTellsOfVmsAndOfTheCellsOfAMap() throws Exception {
        StringBuilder told = new StringBuilder();
        try (Socket socket = connect()) {
            socket.getOutputStream()
                    .write("GET /events?vm=vm&cells=64 HTTP/1.1\r\nHost: localhost\r\n\r\n"
                            .getBytes(StandardCharsets.UTF_8));
            InputStream in = socket.getInputStream();
            byte[] some = new byte[4096];
            while (!told.toString().contains("\"changes\"")) {
                int count = in.read(some);
                assertThat(count).as("%s", told).isPositive();
                told.append(new String(some, 0, count, StandardCharsets.UTF_8));
            }
        }
        assertThat(told.toString())
                .contains("text/event-stream")
                .contains("event: vms")
                .contains("\"name\":\"vm\",\"state\":\"connected\"")
                .contains("event: map")
                .contains("\"count\":64");
        await().untilAsserted(() -> assertThat(Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().equals("ui-page")))
                .isEmpty());
    }

    @Test
    void tokenIsInAFileThatOnlyItsOwnerReads() throws Exception {
        Path path = folder.resolve("token");
        Files.writeString(path, "of another");
        String secret = TokenFile.newToken();
        assertThat(secret).matches("[0-9a-f]{48}").isNotEqualTo(TokenFile.newToken());
        try (TokenFile token = TokenFile.make(path, secret)) {
            assertThat(Files.readString(path)).isEqualTo(token.token() + "\n");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                    .isEqualTo("rw-------");
        }
        assertThat(path).doesNotExist();
    }

    @Test
    void tokenOfASecondOneStaysWhenTheFirstEnds() throws Exception {
        Path path = folder.resolve("token");
        TokenFile first = TokenFile.make(path, "first");
        try (TokenFile second = TokenFile.make(path, "second")) {
            first.close();
            assertThat(Files.readString(path)).isEqualTo(second.token() + "\n");
        }
        assertThat(path).doesNotExist();
        first.close();
    }

    @Test
    void cellsAreWrittenShortAndOnlyWhereTheyChange() throws Exception {
        JsonNode map = Json.parse("{\"page\":4096,\"cell\":32768,\"length\":163840,\"pages\":{\"used\":[8,8,5,0,0],"
                + "\"hinted\":[0,0,3,0,0],\"hole\":[0,0,0,8,8],\"travelled\":[0,8,0,0,0]}}");
        List<String> cells = CellText.cells(map);
        assertThat(CellText.whole(cells)).isEqualTo("u u8t8 u5h3 o*2");
        List<String> next = new ArrayList<>(cells);
        next.set(0, "b");
        next.set(3, "u");
        next.set(4, "u");
        assertThat(CellText.changes(cells, next)).isEqualTo("0:b 3:u*2");
    }
}
