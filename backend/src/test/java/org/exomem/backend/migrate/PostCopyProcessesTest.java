package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.ExomemProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.embedded.EmbeddedVmm;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest that has arrived before its memory, and processes that end meanwhile: two exomems, and two VMMs that hand
 * over userfaultfds.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class PostCopyProcessesTest {
    private static final long MIB = 1 << 20;
    private static final Duration LIMIT = Duration.ofSeconds(60);
    /**
     * Memory that the guest has written and does not need any more: the source owes it, and the guest does not touch
     * it.
     */
    private static final long FILLED = 60 * MIB;

    private static final long FREED = 50 * MIB;

    @TempDir
    Path folder;

    private Path memory;
    private final List<Process> started = new ArrayList<>();
    private Process source;
    private Process sourceVmm;
    private Process destination;
    private Process destinationVmm;

    @BeforeEach
    void processes() throws Exception {
        memory = Files.createTempDirectory(Path.of("/dev/shm"), "exomem-owed");
        sourceVmm = vmm("a");
        destinationVmm = vmm("b", "incoming=on", "handover=on");
        source = exomem("a");
        destination = exomem("b");
        awaitVmm("a");
        awaitVmm("b");
    }

    @AfterEach
    void endAll() throws Exception {
        for (Process process : started.reversed()) {
            process.destroyForcibly().waitFor();
        }
        for (String name : new String[] {"a.ram", "b.ram", "a.log", "b.log"}) {
            Files.deleteIfExists(memory.resolve(name));
        }
        Files.delete(memory);
    }

    private Process vmm(String name, String... more) throws IOException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                EmbeddedVmm.class.getName(),
                "ram=" + memory.resolve(name + ".ram"),
                "size=128M",
                "qmp=" + qmp(name),
                "log=" + memory.resolve(name + ".log")));
        words.addAll(List.of(more));
        Process process = new ProcessBuilder(words)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        started.add(process);
        return process;
    }

    private Path qmp(String name) {
        return folder.resolve(name + ".qmp");
    }

    private Path control(String name) {
        return folder.resolve(name + ".control");
    }

    private Process exomem(String name) throws IOException {
        Process process = ExomemProcess.of(
                        "serve",
                        "--control",
                        control(name).toString(),
                        "--state",
                        folder.resolve(name + ".state").toString(),
                        "--balloon",
                        "vm=web,socket=" + folder.resolve(name + ".balloon") + ",vmm-qmp=" + qmp(name))
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        started.add(process);
        ExomemProcess.awaitControl(process, control(name));
        return process;
    }

    private void awaitVmm(String name) {
        await().atMost(LIMIT).ignoreExceptions().until(() -> {
            QmpClient.connect(qmp(name)).close();
            return true;
        });
    }

    private static JsonNode ask(Path socket, String command, ObjectNode arguments) throws IOException {
        try (QmpClient client = QmpClient.connect(socket)) {
            return client.execute(command, arguments);
        }
    }

    private JsonNode state(String name) throws IOException {
        return ask(control(name), "query-migrate", Json.object().put("vm", "web"));
    }

    private void awaitStatus(String name, String status) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(state(name).path("status").asText())
                        .as(state(name).toString())
                        .isEqualTo(status));
    }

    private Path arrivalFile() {
        return folder.resolve("b.state").resolve("web.arrival.json");
    }

    /**
     * Returns the address of the destination, when the guest runs there and most of the owed pages have not arrived.
     */
    private String leaveBeforeItsMemory() throws IOException {
        ask(qmp("a"), "x-load", Json.object().put("fill", FILLED).put("free", FREED));
        ask(
                control("b"),
                "migrate-incoming",
                Json.object().put("vm", "web").put("uri", "127.0.0.1:0").put("reconnect-within", 1));
        String address = state("b").path("peer").asText();
        ask(
                control("a"),
                "migrate",
                Json.object()
                        .put("vm", "web")
                        .put("uri", address)
                        .put("hints", "none")
                        .put("reconnect-within", 1)
                        .put("max-bandwidth", 5 * MIB)
                        .put("post-copy-after-rounds", 0));
        awaitStatus("b", "postcopy-active");
        assertThat(arrivalFile()).exists();
        return address;
    }

    private boolean isRunning(String name) throws IOException {
        return ask(qmp(name), "query-status", Json.object()).path("running").asBoolean();
    }

    private void assertArrivedOnce() throws IOException {
        awaitStatus("b", "completed");
        awaitStatus("a", "completed");
        assertThat(arrivalFile()).doesNotExist();
        JsonNode verified = ask(qmp("b"), "x-verify", Json.object());
        assertThat(verified.path("wrong").asLong(-1)).as(verified.toString()).isZero();
        assertThat(verified.path("checked").asLong()).isEqualTo((FILLED - FREED) / 4096);
        assertThat(isRunning("b")).isTrue();
        assertThat(isRunning("a")).isFalse();
    }

    /** For longer than both ends would wait for each other in any other migration. */
    @Test
    @Tag("STR-PST-7")
    @Tag("STR-PST-9")
    void nextExomemThatCanNotListenAtOnceTriesAgainUntilItCan() throws Exception {
        String address = leaveBeforeItsMemory();
        destination.destroyForcibly().waitFor();
        int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
        try (ServerSocketChannel other = ServerSocketChannel.open()) {
            await().atMost(LIMIT)
                    .ignoreExceptions()
                    .until(() ->
                            other.bind(new InetSocketAddress("127.0.0.1", port)).isOpen());
            destination = exomem("b");
            await().atMost(LIMIT)
                    .untilAsserted(() ->
                            assertThat(state("b").path("error-desc").asText()).contains("can't listen at"));
            assertThat(state("b").path("status").asText()).isEqualTo("reconnecting");
            assertThat(arrivalFile()).exists();
            assertThat(isRunning("a")).isFalse();
        }
        assertArrivedOnce();
    }

    /** An exomem was killed just before it resumed the VMM's guest, and the next exomem can't reach the VMM. */
    @Test
    @Tag("STR-PST-6")
    @Tag("STR-PST-9")
    void guestThatMayNotHaveBeenStartedIsNotSaidToHaveArrivedBeforeItRuns() throws Exception {
        leaveBeforeItsMemory();
        ask(qmp("b"), "stop", Json.object());
        destination.destroyForcibly().waitFor();
        Path notThereYet = folder.resolve("other.qmp");
        ObjectNode kept = (ObjectNode) Json.parse(Files.readString(arrivalFile()));
        kept.put("started", false).put("qmp", notThereYet.toString());
        Files.writeString(arrivalFile(), Json.text(kept));
        destination = exomem("b");
        await("all of its memory")
                .atMost(LIMIT)
                .untilAsserted(() -> assertThat(
                                state("b").path("owed").path("remaining").asLong(-1))
                        .as(state("b").toString())
                        .isZero());
        assertThat(state("b").path("status").asText()).isEqualTo("postcopy-active");
        assertThat(state("a").path("status").asText()).isEqualTo("postcopy-active");
        assertThat(arrivalFile()).exists();
        assertThat(isRunning("b")).isFalse();
        Files.createSymbolicLink(notThereYet, qmp("b"));
        assertArrivedOnce();
    }

    /** SIGTERM, as from a service manager. */
    @Test
    @Tag("STR-PST-7")
    void exomemThatIsToldToEndSendsFirstWhatIsOwedToTheGuestThatHasLeft() throws Exception {
        leaveBeforeItsMemory();
        source.destroy();
        awaitStatus("b", "completed");
        assertThat(source.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(source.exitValue()).isZero();
        assertThat(arrivalFile()).doesNotExist();
        assertThat(ask(qmp("b"), "x-verify", Json.object()).path("wrong").asLong(-1))
                .isZero();
        assertThat(isRunning("b")).isTrue();
        assertThat(isRunning("a")).isFalse();
    }

    @Test
    @Tag("STR-PST-8")
    void vmmThatEndsBeforeItsSourceIsBackEndsTheMigration() throws Exception {
        leaveBeforeItsMemory();
        source.destroyForcibly().waitFor();
        destination.destroyForcibly().waitFor();
        destination = exomem("b");
        awaitStatus("b", "reconnecting");
        assertThat(arrivalFile()).exists();
        destinationVmm.destroyForcibly().waitFor();
        awaitStatus("b", "failed");
        assertThat(state("b").path("error-desc").asText()).contains("the VMM has ended");
        assertThat(arrivalFile()).doesNotExist();
        assertThat(sourceVmm.isAlive()).isTrue();
    }
}
