package org.exomem.conform;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.suite.Suite;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.conformance.mem.MemBackEnd;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Exomem's own devices keep every requirement that can be observed. */
class OurDevicesTest {
    /** What the memory device wants to be plugged, in bytes. */
    private static final long REQUESTED = 64 << 20;

    @TempDir
    Path folder;

    @Test
    void theBalloonPasses() throws Exception {
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("s"))) {
            assertPasses(backEnd.socket, DeviceType.BALLOON);
        }
    }

    @Test
    void theMemoryDevicePasses() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, REQUESTED, false)) {
            assertPasses(backEnd.socket, DeviceType.MEM);
        }
    }

    private static void assertPasses(Path socket, DeviceType type) throws Exception {
        RunReport report = new Runner(new ListeningBackEnd(socket), type, Limits.USUAL, Runner.Progress.UNWATCHED)
                .run(Suite.all());
        assertThat(report.results().stream()
                        .filter(result -> !result.verdict().isGood())
                        .map(OurDevicesTest::text))
                .isEmpty();
    }

    private static String text(CheckResult result) {
        StringBuilder text = new StringBuilder()
                .append(result.verdict())
                .append(' ')
                .append(result.check())
                .append(": ")
                .append(result.message());
        result.transcript().forEach(line -> text.append("\n    ").append(line.text()));
        return text.append('\n').toString();
    }
}
