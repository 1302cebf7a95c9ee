package org.exomem.backend.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Answers that come late, or belong to no command. */
@Timeout(180)
class QmpClientTest {
    private static final int MANY_EVENTS = 1000;

    @TempDir
    Path folder;

    @Test
    void answerThatComesLateIsNotThatOfTheNextCommand() throws Exception {
        Path path = folder.resolve("qmp");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            Thread.ofPlatform().daemon().start(() -> answerLate(server));
            try (QmpClient client = QmpClient.connect(path)) {
                assertThatThrownBy(() -> client.execute("slow", Json.object(), Duration.ofMillis(50)))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("no reply");
                assertThat(client.execute("quick", Json.object()).path("of").asText())
                        .isEqualTo("quick");
                assertThatThrownBy(() -> client.execute("slow", Json.object(), Duration.ofMillis(50)))
                        .hasMessageContaining("no reply");
                assertThat(client.execute("quick", Json.object()).path("of").asText())
                        .isEqualTo("quick");
            }
        }
    }

    @Test
    void eventsDoNotPutOffTheEndOfTheWaiting() throws Exception {
        Path path = folder.resolve("qmp");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            Thread.ofPlatform().daemon().start(() -> tellEventsForEver(server));
            try (QmpClient client = QmpClient.connect(path)) {
                assertThatThrownBy(() -> client.execute("slow", Json.object(), Duration.ofMillis(300)))
                        .hasMessageContaining("no reply");
            }
        }
    }

    @Test
    @Tag("VMM-23")
    void greetingThatWouldFillTheHeapIsRefused() throws Exception {
        String objects = "{\"QMP\": [" + "{},".repeat(60_000) + "{}]}";
        String text = "{\"QMP\": {\"name\": \"" + "x".repeat(1 << 20) + "\"}}";
        assertThatThrownBy(() -> connectToVmmThatSends(objects)).hasMessageContaining("100000 names and values");
        assertThatThrownBy(() -> connectToVmmThatSends(text)).hasMessageContaining("more than 1048576 bytes");
    }

    private void connectToVmmThatSends(String greeting) throws Exception {
        Path path = folder.resolve("qmp" + greeting.length());
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            Thread.ofPlatform().daemon().start(() -> {
                try (SocketChannel client = server.accept()) {
                    send(client, greeting);
                } catch (IOException e) {
                    // The client hung up.
                }
            });
            QmpClient.connectToVmm(path).close();
        }
    }

    @Test
    @Tag("VMM-23")
    void ofEventsThatNobodyWaitsForTheLatestAreKeptAndResetsAreCounted() throws Exception {
        Path path = folder.resolve("qmp");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            Thread.ofPlatform().daemon().start(() -> tellManyEvents(server));
            try (QmpClient client = QmpClient.connectToVmm(path)) {
                client.execute("query-status", Json.object());
                assertThat(client.resets()).isEqualTo(MANY_EVENTS);
                List<Long> kept = new ArrayList<>();
                for (JsonNode event = client.event(Duration.ZERO); event != null; event = client.event(Duration.ZERO)) {
                    kept.add(event.path("number").asLong());
                }
                assertThat(kept)
                        .containsExactlyElementsOf(LongStream.range(MANY_EVENTS - 256, MANY_EVENTS)
                                .boxed()
                                .toList());
            }
        }
    }

    @Test
    @Tag("VMM-23")
    void largeEventsTakeTheRoomOfMany() {
        EventBacklog events = new EventBacklog(256, 1000);
        events.add(Json.object().put("number", 1), 600);
        events.add(Json.object().put("number", 2), 300);
        events.add(Json.object().put("number", 3), 600);
        assertThat(events.poll()).isEqualTo(Json.object().put("number", 2));
        events.add(Json.object().put("number", 4), 1001);
        assertThat(events.poll()).isNull();
    }

    private static void tellManyEvents(ServerSocketChannel server) {
        try (SocketChannel client = server.accept();
                BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
            send(client, "{\"QMP\": {}}");
            answer(client, lines.readLine());
            String command = lines.readLine();
            for (int i = 0; i < MANY_EVENTS; i++) {
                send(client, "{\"event\": \"RESET\", \"number\": " + i + "}");
            }
            answer(client, command);
            lines.readLine();
        } catch (IOException e) {
            // The client hung up.
        }
    }

    private static void answer(SocketChannel client, String command) throws IOException {
        send(client, "{\"return\": {}, \"id\": " + Json.parse(command).path("id") + "}");
    }

    private static void tellEventsForEver(ServerSocketChannel server) {
        try (SocketChannel client = server.accept();
                BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
            send(client, "{\"QMP\": {}}");
            send(
                    client,
                    "{\"return\": {}, \"id\": " + Json.parse(lines.readLine()).path("id") + "}");
            lines.readLine();
            while (true) {
                send(client, "{\"event\": \"X\"}");
                LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
            }
        } catch (IOException e) {
            // The client hung up.
        }
    }

    /** Answers {@code slow} when the next command comes, before that command. */
    private static void answerLate(ServerSocketChannel server) {
        try (SocketChannel client = server.accept();
                BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
            send(client, "{\"QMP\": {}}");
            String owed = "";
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String command = Json.parse(line).path("execute").asText();
                String answer = "{\"return\": {\"of\": \"" + command + "\"}, \"id\": "
                        + Json.parse(line).path("id") + "}\r\n";
                if (command.equals("slow")) {
                    owed = answer;
                } else {
                    send(client, owed + answer);
                    owed = "";
                }
            }
        } catch (IOException e) {
            // The client hung up.
        }
    }

    private static void send(SocketChannel client, String message) throws IOException {
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(message);
        while (bytes.hasRemaining()) {
            client.write(bytes);
        }
    }
}
