package org.exomem.conform.explore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Scripts as text. */
class ScriptTextTest {
    static LongStream seeds() {
        return LongStream.rangeClosed(1, 50);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void aScriptIsReadAsItWasWritten(long seed) {
        String text = ScriptText.write(ScriptWriter.write(seed, -1, -1));
        assertThat(ScriptText.write(ScriptText.read(text.lines().toList()))).isEqualTo(text);
    }

    @Test
    void theSameSeedGivesTheSameScript() {
        assertThat(ScriptText.write(ScriptWriter.write(7, 3, 9)))
                .isEqualTo(ScriptText.write(ScriptWriter.write(7, 3, 9)))
                .isNotEqualTo(ScriptText.write(ScriptWriter.write(8, 3, 9)));
    }

    @Test
    void commentsAndEmptyLinesAreLeftOut() {
        assertThat(ScriptText.read(List.of("# a script", "", "  settle  # and wait", "kick 2"))
                        .steps())
                .containsExactly(new Step.Settle(), new Step.Kick(2));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jump",
                "kick",
                "kick one",
                "write",
                "write 0x1000 0",
                "write 0x1000 zz",
                "send 8",
                "send 8 flags 0x1",
                "send 8 flags 0x1 length 8",
                "send 8 flags 0x1 size 8 payload",
                "send 8 flags 0x1 size 8 payload 00 fds magic",
                "send 8 flags 0x1 size 8 fd kick"
            })
    void aLineThatIsNoStepIsNamed(String line) {
        assertThatThrownBy(() -> ScriptText.read(List.of("settle", line)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("line 2 is not a step: " + line);
    }
}
