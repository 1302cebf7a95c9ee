package org.exomem.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HandedSocketsTest {
    @Test
    void descriptorsBeginAtThreeAndHaveNames() {
        HandedSockets handed =
                HandedSockets.of(Map.of("LISTEN_PID", "7", "LISTEN_FDS", "3", "LISTEN_FDNAMES", "control:web:db"), 7);
        assertThat(handed.named("web")).isEqualTo(OptionalInt.of(4));
        assertThat(handed).hasToString("control (fd 3), web (fd 4), db (fd 5)");
    }

    @Test
    void aNameThatSeveralHaveNamesNone() {
        HandedSockets handed =
                HandedSockets.of(Map.of("LISTEN_PID", "7", "LISTEN_FDS", "2", "LISTEN_FDNAMES", "a:a"), 7);
        assertThat(handed.named("a")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"8,1", "7,0", "7,-1", "7,99999", "7,many", "x,1", "'',''", "7,9999999999999999999"})
    void whatIsNotForThisProcessOrIsNoNumberIsNothing(String process, String count) {
        HandedSockets handed =
                HandedSockets.of(Map.of("LISTEN_PID", process, "LISTEN_FDS", count, "LISTEN_FDNAMES", "a"), 7);
        assertThat(handed).hasToString("");
    }

    @Test
    void withoutNamesAllAreUnknown() {
        assertThat(HandedSockets.of(Map.of("LISTEN_PID", "7", "LISTEN_FDS", "2"), 7))
                .hasToString("unknown (fd 3), unknown (fd 4)");
    }
}
