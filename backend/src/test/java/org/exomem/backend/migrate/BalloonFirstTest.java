package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class BalloonFirstTest {
    private static final long MIB = 1 << 20;
    private static final long GIB = 1L << 30;

    @Test
    void guestKeepsAnEighthOfItsMemoryAboveWhatItUses() {
        assertThat(BalloonFirst.target(8 * GIB, 8 * GIB, 7 * GIB)).isEqualTo(OptionalLong.of(2 * GIB));
    }

    @Test
    void smallGuestKeeps128MiB() {
        assertThat(BalloonFirst.target(512 * MIB, 512 * MIB, 400 * MIB)).isEqualTo(OptionalLong.of(240 * MIB));
    }

    @Test
    void whatIsInTheBalloonAlreadyStaysThere() {
        assertThat(BalloonFirst.target(8 * GIB, 4 * GIB, 3 * GIB)).isEqualTo(OptionalLong.of(2 * GIB));
    }

    @Test
    void guestThatHasLittleIsLeftAlone() {
        assertThat(BalloonFirst.target(8 * GIB, 8 * GIB, GIB + 15 * MIB)).isEmpty();
        assertThat(BalloonFirst.target(8 * GIB, 8 * GIB, 0)).isEmpty();
        assertThat(BalloonFirst.target(100 * MIB, 100 * MIB, 100 * MIB)).isEmpty();
    }

    @Test
    void guestThatSaysMoreThanItHasIsNotBelieved() {
        assertThat(BalloonFirst.target(8 * GIB, 8 * GIB, Long.MAX_VALUE)).isEqualTo(OptionalLong.of(GIB));
    }
}
