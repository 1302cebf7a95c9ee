package org.exomem.backend.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;
import org.slf4j.Logger;
import org.slf4j.event.Level;

@Isolated("it sets the level of the log, and stderr")
class LogTest {
    private final LogProvider provider = new LogProvider();
    private final PrintStream stderr = System.err;

    @AfterEach
    void restore() {
        Log.level(Log.DEFAULT_LEVEL);
        System.setErr(stderr);
    }

    private Logger logger(String name) {
        return provider.getLoggerFactory().getLogger(name);
    }

    private static String written(Runnable task) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        task.run();
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @Test
    void lineHasItsTimeWithTheOffsetAndItsLevel() {
        assertThat(Log.time(OffsetDateTime.parse("2026-11-28T03:04:00.0070009-03:30")))
                .isEqualTo("2026-11-28T03:04:00.007-03:30");
        assertThat(written(() -> logger("org.exomem.x").warn("{}: {} clients", "web", 3)))
                .matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}[+-]\\d\\d:\\d\\d WARN web: 3 clients\n");
    }

    @Test
    void textOfStrangersStaysInItsLineAndCanNotReachTheTerminal() {
        assertThat(Log.lines("<4>", "peer \u001b[31mPWNED\u001b]0;x\u0007 said\nERROR all is lost\u202e", null))
                .isEqualTo("<4>peer \\u001b[31mPWNED\\u001b]0;x\\u0007 said\\nERROR all is lost\\u202e\n");
    }

    @Test
    void eachLineOfAFaultHasThePriority() {
        Throwable fault = new IllegalStateException("no", new IOException("a\nb"));
        assertThat(Log.lines("<3>", "failed", fault))
                .startsWith("<3>failed\n<3>  java.lang.IllegalStateException: no\n<3>    at org.exomem")
                .contains("<3>  caused by java.io.IOException: a\\nb\n");
        assertThat(Log.lines("<3>", "failed", fault).lines()).allMatch(line -> line.startsWith("<3>"));
    }

    @Test
    void levelCanBeSetAndLibrariesOnlyWarn() {
        assertThat(logger("org.exomem.x").isInfoEnabled()).isTrue();
        assertThat(logger("org.exomem.x").isDebugEnabled()).isFalse();
        assertThat(logger("io.netty.x").isInfoEnabled()).isFalse();
        assertThat(logger("io.netty.x").isWarnEnabled()).isTrue();
        Log.level(Level.DEBUG);
        assertThat(logger("org.exomem.x").isDebugEnabled()).isTrue();
        assertThat(logger("io.netty.x").isInfoEnabled()).isFalse();
        Log.level(Level.ERROR);
        assertThat(logger("org.exomem.x").isWarnEnabled()).isFalse();
        assertThat(logger("io.netty.x").isWarnEnabled()).isFalse();
    }

    @Test
    void journalIsKnownByTheStreamThatItNames(@TempDir Path folder) throws IOException {
        Path stream = Files.createFile(folder.resolve("stream"));
        Map<String, Object> file = Files.readAttributes(stream, "unix:dev,ino");
        String named = file.get("dev") + ":" + file.get("ino");
        assertThat(Log.isJournal(named, stream)).isTrue();
        assertThat(Log.isJournal(named + "1", stream)).isFalse();
        assertThat(Log.isJournal(null, stream)).isFalse();
        assertThat(Log.isJournal(named, folder.resolve("none"))).isFalse();
    }
}
