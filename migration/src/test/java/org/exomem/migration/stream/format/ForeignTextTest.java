package org.exomem.migration.stream.format;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ForeignTextTest {
    @Test
    void whatCouldConfuseATerminalOrItsReaderBecomesASpace() {
        assertThat(ForeignText.plain("a\u001b[2Jb\nc\u0085d\u009be\u202ef\u200bg\ufeffh\u2028i"))
                .isEqualTo("a [2Jb c d e f g h i");
        assertThat(ForeignText.plain("Gr\u00fc\u00dfe, \u4e16\u754c")).isEqualTo("Gr\u00fc\u00dfe, \u4e16\u754c");
    }
}
