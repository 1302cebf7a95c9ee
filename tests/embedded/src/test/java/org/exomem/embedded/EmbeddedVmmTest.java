package org.exomem.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The embedded VMM as a process. */
@Timeout(180)
class EmbeddedVmmTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private final List<Process> processes = new ArrayList<>();

    @AfterEach
    void end() throws Exception {
        for (Process process : processes) {
            process.destroyForcibly().waitFor();
        }
    }

    private Process start(String... words) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                EmbeddedVmm.class.getName()));
        command.addAll(List.of(words));
        Process process = new ProcessBuilder(command).start();
        processes.add(process);
        return process;
    }

    @Test
    void servesQmpUntilItIsToldToQuit() throws Exception {
        Path ram = folder.resolve("ram");
        Path log = folder.resolve("log");
        Path qmp = folder.resolve("qmp");
        Process process = start("ram=" + ram, "size=64M", "qmp=" + qmp, "log=" + log);
        assertThat(process.inputReader().readLine()).isEqualTo("ready");
        try (QmpClient client = new QmpClient(qmp)) {
            assertThat(client.execute("x-load", "{'fill': " + 4 * MIB + "}")
                            .path("held")
                            .asLong())
                    .isEqualTo(4 * MIB);
            client.execute("quit");
        }
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).isZero();
        assertThat(ram).exists();
        assertThat(log).doesNotExist();
        assertThat(qmp).doesNotExist();
    }

    @Test
    void endsWithAMessageWhenItsMemoryIsNotWhatItWas() throws Exception {
        Path ram = folder.resolve("ram");
        Path qmp = folder.resolve("qmp");
        Process process = start("ram=" + ram, "size=64M", "qmp=" + qmp);
        assertThat(process.inputReader().readLine()).isEqualTo("ready");
        try (QmpClient client = new QmpClient(qmp);
                SharedFile file = SharedFile.openOrCreate(ram, 64 * MIB)) {
            client.execute("x-load", "{'fill': " + 4 * MIB + "}");
            file.punchHole(EmbeddedRam.DRIVER_BYTES, 4096);
            client.execute("x-load", "{'checks': 100000}");
            assertThat(client.await("GUEST_PANICKED").findValue("message").asText())
                    .contains("is not what the guest wrote");
        }
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).isEqualTo(1);
        assertThat(process.errorReader().readLine()).contains("is not what the guest wrote");
    }

    @Test
    void usageErrorIsReportedAndNoFileIsMade() throws Exception {
        Path ram = folder.resolve("ram");
        Process process = start("ram=" + ram, "size=64M", "colour=red", "qmp=" + folder.resolve("qmp"));
        assertThat(process.errorReader().readLine()).contains("colour");
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).isEqualTo(2);
        assertThat(Files.exists(ram)).isFalse();
    }
}
