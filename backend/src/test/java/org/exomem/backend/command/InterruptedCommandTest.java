package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.ExomemProcess;
import org.exomem.backend.qmp.Json;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ctrl-C ends a command that waits. The operation that it started continues, and the command says so. */
class InterruptedCommandTest {
    private static final String VMS = "[{\"name\":\"a\",\"responding\":true,\"connected\":true}]";
    private static final String BALLOON = "{\"actual\":2147483648,\"target\":1073741824,\"memory\":4294967296}";
    private static final String MEMORY =
            "[{\"type\":\"virtio-mem\",\"data\":{\"vm\":\"a\",\"id\":\"m0\",\"connected\":true,"
                    + "\"size\":4294967296,\"requested-size\":1073741824,\"plugged-size\":0,\"block-size\":2097152,"
                    + "\"job\":{\"id\":\"a/m0/1\",\"status\":\"running\",\"current-progress\":0,\"total-progress\":1073741824}}}]";
    private static final String JOBS =
            "[{\"id\":\"a/m0/1\",\"status\":\"running\",\"current-progress\":0," + "\"total-progress\":1073741824}]";

    private static final String EVENT =
            "{\"event\":\"DEVICE_CONNECTED\",\"data\":{\"vm\":\"a\",\"device\":\"balloon\"},"
                    + "\"timestamp\":{\"seconds\":1795170000,\"microseconds\":0}}";

    @TempDir
    Path folder;

    private ServerSocketChannel server;
    /** The command polls its progress. At the third poll it certainly waits. */
    private final CountDownLatch looks = new CountDownLatch(3);

    @BeforeEach
    void serve() throws IOException {
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(folder.resolve("control")));
        Thread.ofVirtual().start(this::answer);
    }

    @AfterEach
    void end() throws IOException {
        server.close();
    }

    /** A guest that makes no progress. */
    private void answer() {
        try (SocketChannel client = server.accept();
                BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
            send(
                    client,
                    "{\"QMP\":{\"version\":{\"qemu\":{\"major\":0,\"minor\":1,\"micro\":0},\"package\":\"exomem\"},"
                            + "\"capabilities\":[]}}");
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                JsonNode command = Json.parse(line);
                String name = command.path("execute").asText();
                ObjectNode reply = Json.object();
                reply.set("return", Json.parse(result(name)));
                if (command.has("id")) {
                    reply.set("id", command.get("id"));
                }
                send(client, Json.text(reply));
                if (name.equals("qmp_capabilities")) {
                    send(client, EVENT);
                }
                if (name.equals("query-balloon") || name.equals("query-jobs")) {
                    looks.countDown();
                }
            }
        } catch (IOException e) {
            // The command has ended.
        }
    }

    private static void send(SocketChannel client, String text) throws IOException {
        client.write(ByteBuffer.wrap((text + "\r\n").getBytes(StandardCharsets.UTF_8)));
    }

    private static String result(String command) {
        return switch (command) {
            case "query-vms" -> VMS;
            case "query-balloon" -> BALLOON;
            case "query-memory-devices" -> MEMORY;
            case "query-jobs" -> JOBS;
            case "mem-resize" -> "{\"id\":\"a/m0/1\"}";
            default -> "{}";
        };
    }

    private String interrupted(String... words) throws IOException, InterruptedException {
        Path errors = folder.resolve("errors");
        List<String> all = new ArrayList<>(List.of(words));
        all.addAll(List.of("--control", folder.resolve("control").toString()));
        Process process = ExomemProcess.of(all.toArray(String[]::new))
                .redirectError(errors.toFile())
                .start();
        try {
            assertThat(looks.await(1, TimeUnit.MINUTES))
                    .as("waits: " + Files.readString(errors))
                    .isTrue();
            new ProcessBuilder("kill", "-INT", Long.toString(process.pid()))
                    .start()
                    .waitFor();
            assertThat(process.waitFor()).isEqualTo(130);
            return Files.readString(errors);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void waitingForABalloonSaysThatTheGuestGoesOn() throws Exception {
        assertThat(interrupted("balloon", "a", "1G", "--wait"))
                .isEqualTo("exomem: the guest continues to the requested size; \"exomem balloon a SIZE\" requests"
                        + " another\n");
    }

    @Test
    void followingEventsEndsWellAsNothingGoesOn() throws Exception {
        Path events = folder.resolve("events");
        Process process = ExomemProcess.of(
                        "events", "--control", folder.resolve("control").toString())
                .redirectOutput(events.toFile())
                .start();
        try {
            await().atMost(Duration.ofMinutes(1)).until(() -> Files.size(events) > 0);
            new ProcessBuilder("kill", "-INT", Long.toString(process.pid()))
                    .start()
                    .waitFor();
            assertThat(process.waitFor()).isZero();
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void waitingForAMemoryDeviceSaysHowToEndTheResize() throws Exception {
        assertThat(interrupted("mem", "a", "1G", "--wait"))
                .startsWith("exomem: the resize continues; \"exomem mem a")
                .contains("--cancel\" cancels it");
    }
}
