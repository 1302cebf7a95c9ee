package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class HintBenefitTest {
    private static final long GIB = 1L << 30;

    @Test
    void guestWhoseWorkloadHasEndedIsAsked() {
        assertThat(HintBenefit.isExpected(7 * GIB, 8 * GIB, OptionalLong.of(7 * GIB + GIB / 2)))
                .isTrue();
    }

    @Test
    void guestThatNeverTouchedItsMemoryIsNotMadeToDoSo() {
        assertThat(HintBenefit.isExpected(GIB / 4, 8 * GIB, OptionalLong.of(7 * GIB + GIB / 2)))
                .isFalse();
    }

    @Test
    void guestThatUsesWhatItHasIsNotDisturbed() {
        assertThat(HintBenefit.isExpected(7 * GIB, 8 * GIB, OptionalLong.of(GIB + GIB / 2)))
                .isFalse();
    }

    @Test
    void guestThatDoesNotTellIsAskedWhenMostOfItsMemoryIsOnTheHost() {
        assertThat(HintBenefit.isExpected(7 * GIB, 8 * GIB, OptionalLong.empty()))
                .isTrue();
        assertThat(HintBenefit.isExpected(GIB, 8 * GIB, OptionalLong.empty())).isFalse();
    }
}
