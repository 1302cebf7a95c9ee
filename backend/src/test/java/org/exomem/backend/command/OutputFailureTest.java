package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Output that can't be written is a failure. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class OutputFailureTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "vms",
                "vms --json",
                "vms --memory",
                "mem a --json",
                "balloon a --json",
                "hints a --json",
                "stats a --interval 5 --json"
            })
    void aFullDiskIsExitCode1(String words) throws Exception {
        try (TestVms vms = TestVms.named("a")) {
            assertThat(runOnFullDisk(words + " --control " + vms.control())).isNotZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"completion bash", "--help", "vms --help", "--version", "serve --print-capabilities"})
    void aFullDiskIsExitCode1WithoutAProcessThatServes(String words) throws Exception {
        assertThat(runOnFullDisk(words)).isEqualTo(ExitCode.FAILED);
    }

    private static int runOnFullDisk(String words) throws IOException {
        StringWriter err = new StringWriter();
        int code;
        try (FileOutputStream full = new FileOutputStream("/dev/full");
                PrintWriter out = new PrintWriter(new OutputStreamWriter(full, StandardCharsets.UTF_8))) {
            code = new ExomemCommand().run(new Streams(out, new PrintWriter(err)), words.split(" ", -1));
        }
        assertThat(err.toString()).startsWith("exomem: ");
        return code;
    }
}
