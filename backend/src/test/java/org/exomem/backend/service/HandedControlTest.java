package org.exomem.backend.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.ExomemProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that gets its sockets from systemd's own tool, and reports its state to a service manager. */
class HandedControlTest {
    @TempDir
    Path folder;

    @Test
    @Tag("CTL-23")
    void socketsThatSystemdMadeAreServedAndTheirManagerIsTold() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/systemd-socket-activate")), "no systemd-socket-activate");
        Path control = folder.resolve("control.sock");
        Path web = folder.resolve("web.sock");
        List<String> words = new ArrayList<>(List.of(
                "systemd-socket-activate",
                "-l",
                control.toString(),
                "-l",
                web.toString(),
                "--fdname=control:web",
                "-E",
                "NOTIFY_SOCKET=" + folder.resolve("notify"),
                "-E",
                "WATCHDOG_USEC=300000"));
        words.addAll(ExomemProcess.of("serve", "--control", control.toString(), "--balloon", "vm=web,fd=web")
                .command());
        try (ListeningManager manager =
                new ListeningManager(folder.resolve("notify").toString())) {
            Process process = new ProcessBuilder(words)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("log").toFile())
                    .start();
            try {
                // The tool replaces itself by exomem at the first connection.
                await().until(() -> Files.exists(web));
                ExomemProcess.awaitControl(process, control);
                try (Fd vmm = UnixSockets.connect(web);
                        QmpClient client = QmpClient.connect(control)) {
                    await().until(() -> Json.text(client.execute("query-vms", Json.object()))
                            .contains("\"connected\":true"));
                    assertThat(vmm.isOpen()).isTrue();
                }
                assertThat(Files.readString(folder.resolve("control.sock.names")))
                        .isEqualTo("web balloon\n");
                await().atMost(Duration.ofSeconds(20))
                        .until(() -> manager.told().containsAll(List.of("READY=1", "WATCHDOG=1")));
                process.destroy();
                assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
                await().until(() -> manager.told().contains("STOPPING=1"));
                assertThat(manager.told()).anyMatch(line -> line.startsWith("STATUS=1 VM, "));
                assertThat(folder.resolve("control.sock.names")).doesNotExist();
                assertThat(control).exists();
            } finally {
                process.destroyForcibly();
            }
        }
    }
}
