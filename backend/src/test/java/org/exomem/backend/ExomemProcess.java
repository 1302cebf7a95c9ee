package org.exomem.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;

/** {@code exomem} as a separate process. */
public final class ExomemProcess {
    private ExomemProcess() {}

    public static ProcessBuilder of(String... words) {
        // A shell starts its background jobs with SIGINT ignored, and children inherit that.
        List<String> command = new ArrayList<>(List.of(
                "env",
                "--default-signal=INT",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Exomem.class.getName()));
        command.addAll(List.of(words));
        return new ProcessBuilder(command);
    }

    /** Waits until a process that serves answers on its control socket. */
    public static void awaitControl(Process process, Path control) {
        await().atMost(Duration.ofSeconds(40)).until(() -> {
            assertThat(process.isAlive()).as("still running").isTrue();
            try (QmpClient client = QmpClient.connect(control)) {
                return client.execute("query-status", Json.object())
                        .path("running")
                        .asBoolean();
            } catch (IOException e) {
                return false;
            }
        });
    }
}
