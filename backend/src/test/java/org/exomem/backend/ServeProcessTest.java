package org.exomem.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.control.Version;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code exomem serve} as a process: how it starts, refuses to start, and ends. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class ServeProcessTest {
    @TempDir
    Path folder;

    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final List<Process> started = new ArrayList<>();

    @AfterEach
    void endAll() throws InterruptedException {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void sigtermEndsItCleanlyWithItsSocketsGone() throws Exception {
        Process process = exomem("serve", "--control", path("control"), "--balloon", "vm=a,socket=" + path("a"));
        awaitControl(process);
        process.destroy();
        assertThat(process.waitFor()).isZero();
        assertThat(folder.resolve("control")).doesNotExist();
        assertThat(folder.resolve("a")).doesNotExist();
    }

    @Test
    void memoryDevicesAndTheStateOfOptionsAreServed() throws Exception {
        Process process = exomem(
                "serve",
                "--control",
                path("control"),
                "--state",
                path("state"),
                "--mem",
                "vm=a,id=m0,socket=" + path("m0") + ",addr=4G,size=1G,block=4M,requested=64M");
        awaitControl(process);
        assertThat(folder.resolve("m0")).exists();
        assertThat(folder.resolve("state")).isNotEmptyDirectory();
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            assertThat(client.execute("query-memory-devices", Json.object())
                            .path(0)
                            .path("data")
                            .path("requested-size")
                            .asLong())
                    .isEqualTo(64L << 20);
        }
    }

    @Test
    void serviceWithAFileStartsBeforeItHasVms() throws Exception {
        Path file = Files.writeString(folder.resolve("exomem.yaml"), "state: " + path("state") + "\n");
        Process process = exomem("serve", "--config", file.toString(), "--control", path("control"));
        awaitControl(process);
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            assertThat(client.execute("query-vms", Json.object())).isEmpty();
        }
    }

    @Test
    void sigintEndsItLikewise() throws Exception {
        Process process = exomem("serve", "--control", path("control"), "--balloon", "vm=a,socket=" + path("a"));
        awaitControl(process);
        new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
        assertThat(process.waitFor()).isZero();
        assertThat(folder.resolve("a")).doesNotExist();
    }

    @Test
    void followingEndsCleanlyWithSigint() throws Exception {
        try (TestVms vms = TestVms.named("a")) {
            vms.attach("a").inflate(32 << 20, 1 << 20);
            Process process =
                    exomem("hints", "a", "--follow", "--control", vms.control().toString());
            BufferedReader lines = process.inputReader();
            assertThat(lines.readLine()).endsWith("inflated        0x2000000  1 MiB");
            new ProcessBuilder("kill", "-INT", Long.toString(process.pid()))
                    .start()
                    .waitFor();
            assertThat(process.waitFor()).isZero();
            assertThat(lines.readLine()).isNull();
            assertThat(errors(process)).isEmpty();
        }
    }

    @Test
    void logTellsItsBeginAndWhyItEnds() throws Exception {
        Process process = exomem(
                "serve", "--balloon", "vm=a,socket=" + path("a"), "--control", path("control"), "--log-level", "INFO");
        awaitControl(process);
        process.destroy();
        assertThat(process.waitFor()).isZero();
        assertThat(errors(process).lines().map(line -> line.replaceFirst("^\\S+ ", "")))
                .contains(
                        "INFO exomem " + Version.current() + " serves 1 VM; process " + process.pid()
                                + ", control socket on " + path("control"),
                        "INFO ends: SIGTERM");
    }

    @Test
    void onlyErrorsAreLoggedWhereThatIsWanted() throws Exception {
        Process process = exomem(
                "serve", "--balloon", "vm=a,socket=" + path("a"), "--control", path("control"), "--log-level=error");
        awaitControl(process);
        process.destroy();
        assertThat(process.waitFor()).isZero();
        assertThat(errors(process)).isEmpty();
    }

    @Test
    void levelThatIsNoneIsAUsageError() throws Exception {
        Process process = exomem("serve", "--log-level", "loud");
        assertThat(process.waitFor()).isEqualTo(2);
        assertThat(errors(process).lines())
                .containsExactly(
                        "exomem: --log-level: \"loud\" is none of error, warn, info, debug",
                        "See \"exomem serve --help\".");
    }

    @Test
    void quitEndsItCleanly() throws Exception {
        Process process = exomem("serve", "--control", path("control"), "--balloon", "vm=a,socket=" + path("a"));
        awaitControl(process);
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            client.execute("quit", Json.object());
        }
        assertThat(process.waitFor()).isZero();
        assertThat(folder.resolve("control")).doesNotExist();
        assertThat(folder.resolve("a")).doesNotExist();
    }

    @Test
    void killedProcessLeavesSocketsThatTheNextOneReplaces() throws Exception {
        String[] words = {"serve", "--control", path("control"), "--balloon", "vm=a,socket=" + path("a")};
        Process first = exomem(words);
        awaitControl(first);
        first.destroyForcibly().waitFor();
        assertThat(folder.resolve("a")).exists();
        awaitControl(exomem(words));
    }

    @Test
    void balloonSocketOfALivingProcessIsNotTaken() throws Exception {
        try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            other.bind(UnixDomainSocketAddress.of(folder.resolve("a")));
            Process process = exomem("serve", "--control", path("control"), "--balloon", "vm=a,socket=" + path("a"));
            assertThat(process.waitFor()).isEqualTo(1);
            assertThat(errors(process)).contains(path("a")).contains("another process listens there");
        }
        assertThat(folder.resolve("control")).doesNotExist();
    }

    @Test
    void failureOfOneSocketLeavesNoneBehind() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "precious");
        Process process = exomem(
                "serve",
                "--control",
                path("control"),
                "--balloon",
                "vm=a,socket=" + path("a"),
                "--balloon",
                "vm=b,socket=" + file);
        assertThat(process.waitFor()).isEqualTo(1);
        assertThat(folder.resolve("a")).doesNotExist();
        assertThat(file).hasContent("precious");
    }

    @Test
    @Tag("VHU-PRG-1")
    void socketPathAloneServesOneBalloonWithoutControlSocket() throws Exception {
        Process process = exomem("--socket-path=" + path("a"));
        await().atMost(Duration.ofSeconds(30)).until(() -> Files.exists(folder.resolve("a")));
        process.destroy();
        assertThat(process.waitFor()).isZero();
        assertThat(errors(process)).doesNotContain("control socket");
    }

    @Test
    @Tag("VHU-PRG-1")
    void capabilitiesAreThoseOfABalloon() throws Exception {
        Process process = exomem("--print-capabilities", "--socket-path", "/ignored");
        String printed = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        JsonNode capabilities = Json.parse(printed);
        assertThat(capabilities.path("type").asText()).isEqualTo("balloon");
        assertThat(capabilities.path("features").valueStream().map(JsonNode::asText))
                .containsExactly(
                        "must-tell-host",
                        "statistics",
                        "deflate-on-oom",
                        "free-page-hint",
                        "page-poison",
                        "free-page-reporting",
                        "free-page-bitmap");
    }

    @Test
    void wrongBalloonIsAUsageErrorInTwoLines() throws Exception {
        Process process = exomem("serve", "--balloon", "vm=a");
        assertThat(process.waitFor()).isEqualTo(2);
        assertThat(errors(process).lines())
                .containsExactly(
                        "exomem: --balloon vm=a: socket (or fd) is missing: where the VMM attaches",
                        "See \"exomem serve --help\".");
    }

    @Test
    void balloonsOfAFileAreServed() throws Exception {
        Path config = Files.writeString(folder.resolve("config.yaml"), """
            control: control
            balloons:
              - vm: a
                socket: a
              - vm: b
                socket: b
                size: 1G
            """);
        awaitControl(exomem("serve", "--config", config.toString()));
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            JsonNode vms = client.execute("query-vms", Json.object());
            assertThat(vms.valueStream().map(vm -> vm.path("name").asText())).containsExactly("a", "b");
            assertThat(vms.path(1).path("target").asLong()).isEqualTo(1L << 30);
        }
    }

    @Test
    void memoryDevicesAreServedAndTheirStateOutlivesTheProcess() throws Exception {
        String[] words = {
            "serve",
            "--control",
            path("control"),
            "--state",
            path("state"),
            "--mem",
            "vm=a,id=m0,addr=4G,size=1G,block=2M,socket=" + path("a-m0")
        };
        Process first = exomem(words);
        awaitControl(first);
        assertThat(folder.resolve("a-m0")).exists();
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            client.execute("mem-resize", Json.object().put("size", 64 << 20));
        }
        first.destroyForcibly().waitFor();
        awaitControl(exomem(words));
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            JsonNode devices = client.execute("query-memory-devices", Json.object());
            assertThat(devices).hasSize(1);
            assertThat(devices.path(0).path("data").path("requested-size").asLong())
                    .isEqualTo(64 << 20);
        }
    }

    @Test
    void aPlaceForStateThatCantBeUsedIsOneLineAndExitCode1() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "precious");
        Process process = exomem(
                "serve",
                "--control",
                path("control"),
                "--state",
                path("file"),
                "--balloon",
                "vm=a,socket=" + path("a"));
        assertThat(process.waitFor()).isEqualTo(1);
        assertThat(errors(process).lines())
                .containsExactly("exomem: state directory " + file + " can't be used: it is not a directory");
        assertThat(file).hasContent("precious");
    }

    @Test
    @Tag("CTL-33")
    void sighupServesWhatIsNewEndsWhatHasGoneAndLeavesTheRest() throws Exception {
        Path config = configOf("a", "b");
        Process process = exomem("serve", "--control", path("control"), "--config", config.toString());
        awaitControl(process);
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            client.execute("balloon", Json.object().put("vm", "b").put("value", 1 << 30));
            configOf("b", "c");
            signal("-HUP", process);
            await().atMost(LIMIT).until(() -> names(client).equals(List.of("b", "c")));
            assertThat(client.execute("query-vms", Json.object())
                            .path(0)
                            .path("target")
                            .asLong())
                    .isEqualTo(1 << 30);
        }
        assertThat(folder.resolve("a")).doesNotExist();
        assertThat(folder.resolve("c")).exists();
        assertThat(errors(process)).contains("a: balloon is no longer served").contains("c: balloon on " + path("c"));
    }

    @Test
    @Tag("CTL-33")
    void sighupWithAWrongFileChangesNothingAndIsTold() throws Exception {
        Path config = configOf("a");
        Process process = exomem("serve", "--control", path("control"), "--config", config.toString());
        awaitControl(process);
        Files.writeString(config, "balloons:\n  - vm: b\n    sockt: b\n");
        signal("-HUP", process);
        await().atMost(LIMIT)
                .until(() -> errors(process)
                        .contains("SIGHUP: nothing was changed: " + config
                                + ":3: \"sockt\" is not an option of a balloon"));
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            assertThat(names(client)).containsExactly("a");
        }
    }

    @Test
    void sighupWithoutAFileIsToldAndIgnoredAndTheEndIsToldWithItsReason() throws Exception {
        Process process = exomem("serve", "--control", path("control"), "--balloon", "vm=a,socket=" + path("a"));
        awaitControl(process);
        signal("-HUP", process);
        await().atMost(LIMIT).until(() -> errors(process).contains("without --config there is no file to read again"));
        assertThat(process.isAlive()).isTrue();
        signal("-TERM", process);
        assertThat(process.waitFor()).isZero();
        assertThat(errors(process)).contains("ends: SIGTERM");
    }

    @Test
    void emptyPathsAreUsageErrors() throws Exception {
        for (String option : List.of("--state", "--config", "--socket-path", "--control")) {
            Process process = exomem("serve", "--balloon", "vm=a,socket=" + path("a"), option, "");
            assertThat(process.waitFor()).as(option).isEqualTo(2);
            assertThat(errors(process))
                    .startsWith("exomem: " + option + " requires a value, but ")
                    .contains(" is empty");
        }
        assertThat(folder.resolve("a")).doesNotExist();
    }

    private Path configOf(String... vms) throws IOException {
        StringBuilder text = new StringBuilder("balloons:\n");
        for (String vm : vms) {
            text.append("  - vm: ")
                    .append(vm)
                    .append("\n    socket: ")
                    .append(vm)
                    .append('\n');
        }
        return Files.writeString(folder.resolve("config.yaml"), text);
    }

    private static List<String> names(QmpClient client) throws IOException {
        return client.execute("query-vms", Json.object())
                .valueStream()
                .map(vm -> vm.path("name").asText())
                .toList();
    }

    private static void signal(String signal, Process process) throws IOException, InterruptedException {
        new ProcessBuilder("kill", signal, Long.toString(process.pid())).start().waitFor();
    }

    private String path(String name) {
        return folder.resolve(name).toString();
    }

    private Process exomem(String... words) throws IOException {
        Process process = ExomemProcess.of(words)
                .redirectError(folder.resolve("errors" + started.size()).toFile())
                .start();
        started.add(process);
        return process;
    }

    private String errors(Process process) throws IOException {
        return Files.readString(folder.resolve("errors" + started.indexOf(process)));
    }

    private void awaitControl(Process process) {
        ExomemProcess.awaitControl(process, folder.resolve("control"));
    }
}
