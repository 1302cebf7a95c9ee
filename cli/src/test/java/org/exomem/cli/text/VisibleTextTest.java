package org.exomem.cli.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class VisibleTextTest {
    @Test
    void whatATerminalObeysIsWrittenOut() {
        assertThat(VisibleText.line("\u001b[31mPWNED\u001b]0;title\u0007 \u009b2J\u202e\u2028"))
                .isEqualTo("\\u001b[31mPWNED\\u001b]0;title\\u0007 \\u009b2J\\u202e\\u2028");
    }

    @Test
    void endsOfLinesStayOnlyWhereSeveralLinesAreMeant() {
        assertThat(VisibleText.line("a\r\n\tb")).isEqualTo("a\\r\\n\\tb");
        assertThat(VisibleText.lines("a\nb\r")).isEqualTo("a\nb\\r");
    }

    @Test
    void lettersOfAllLanguagesStay() {
        String text = "Gr\u00fc\u00dfe, \u4e16\u754c \ud83d\ude00";
        assertThat(VisibleText.line(text)).isSameAs(text);
        assertThat(VisibleText.line("half \ud83d")).isEqualTo("half \\ud83d");
    }
}
