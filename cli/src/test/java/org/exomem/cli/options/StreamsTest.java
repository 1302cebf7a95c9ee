package org.exomem.cli.options;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Output that can't be written. */
class StreamsTest {
    private final StringWriter err = new StringWriter();

    private int end(OutputStream to, int code) {
        Streams streams = new Streams(DescriptorWriter.to(to, false), new PrintWriter(err));
        streams.out().println("a result");
        return streams.end(code);
    }

    @Test
    void aFullDiskIsToldByItsNameAndIsAFailure() throws Exception {
        assertThat(end(new FileOutputStream("/dev/full"), ExitCode.OK)).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).startsWith("exomem: the output can't be written: No space left on device");
    }

    @Test
    void aReaderThatHasGoneIsNotToldOf(@TempDir Path folder) throws Exception {
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        Thread reader = Thread.ofPlatform().start(() -> {
            try {
                new FileInputStream(pipe.toFile()).close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        try (OutputStream writer = new FileOutputStream(pipe.toFile())) {
            reader.join();
            assertThat(end(writer, ExitCode.OK)).isEqualTo(ExitCode.FAILED);
        }
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void anExitCodeOfItsOwnStays() throws Exception {
        assertThat(end(new FileOutputStream("/dev/full"), ExitCode.TIMED_OUT)).isEqualTo(ExitCode.TIMED_OUT);
        assertThat(end(OutputStream.nullOutputStream(), ExitCode.OK)).isEqualTo(ExitCode.OK);
    }
}
