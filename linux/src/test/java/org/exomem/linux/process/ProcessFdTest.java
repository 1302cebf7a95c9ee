package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ProcessFdTest {
    @Test
    void processIsKilledAndOnlyThatOne() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("sleep", "600").start();
        try (ProcessFd fd = ProcessFd.open((int) process.pid())) {
            assertThat(fd.isAlive()).isTrue();
            fd.kill();
            assertThat(fd.awaitEnd(Duration.ofSeconds(30))).isTrue();
            assertThat(process.waitFor()).isEqualTo(128 + 9);
            assertThatThrownBy(fd::kill).hasMessageContaining("ESRCH");
        } finally {
            process.destroyForcibly();
        }
    }
}
