package org.exomem.backend.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What comes late, or is nobody's. */
@Timeout(180)
class QmpClientTest {
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
                        .hasMessageContaining("no answer");
                assertThat(client.execute("quick", Json.object()).path("of").asText())
                        .isEqualTo("quick");
                assertThatThrownBy(() -> client.execute("slow", Json.object(), Duration.ofMillis(50)))
                        .hasMessageContaining("no answer");
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
                        .hasMessageContaining("no answer");
            }
        }
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

    /** Answers {@code slow} when the next command comes, before that one. */
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
        client.write(StandardCharsets.UTF_8.encode(message));
    }
}
