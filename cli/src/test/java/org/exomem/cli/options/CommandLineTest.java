package org.exomem.cli.options;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class CommandLineTest {
    private final AtomicInteger made = new AtomicInteger();
    private final CommandLine line = new CommandLine("try", new Command() {
        @Override
        public void describe(Usage usage) {
            usage.does("Tries.").section(() -> {
                made.incrementAndGet();
                return Section.ofRows("Rows", Map.of("a=B", "what it is"));
            });
        }

        @Override
        public int run(Streams streams) {
            return ExitCode.OK;
        }
    });

    @Test
    void aCommandThatRunsDoesNotWrapTheLinesOfItsHelp() throws Exception {
        int code = line.run(List.of(), new Streams(anywhere(), anywhere()));

        assertThat(code).isEqualTo(ExitCode.OK);
        assertThat(made).hasValue(0);
    }

    @Test
    void theHelpHasThem() {
        assertThat(line.help(List.of())).contains("Rows").contains("what it is");
        assertThat(made).hasPositiveValue();
    }

    private static PrintWriter anywhere() {
        return new PrintWriter(new StringWriter());
    }
}
