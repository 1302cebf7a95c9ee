package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;
import org.exomem.migration.GuestPages;
import org.junit.jupiter.api.Test;

class HintBenefitTest {
    private static final long GIB = 1L << 30;
    private static final long MIB = 1L << 20;
    private static final OptionalLong MOST_IS_FREE = OptionalLong.of(8 * GIB - 340 * MIB);

    @Test
    void guestWhoseWorkloadHasEndedIsAsked() {
        assertThat(HintBenefit.isExpected(7 * GIB, 7 * GIB, 8 * GIB, MOST_IS_FREE))
                .isTrue();
    }

    @Test
    void guestThatNeverTouchedItsMemoryIsNotMadeToDoSo() {
        assertThat(HintBenefit.isExpected(300 * MIB, 400 * MIB, 8 * GIB, MOST_IS_FREE))
                .isFalse();
        assertThat(HintBenefit.isExpected(GIB, GIB, 8 * GIB, MOST_IS_FREE)).isFalse();
    }

    @Test
    void guestWhoseFreeMemoryHoldsZerosIsNotMadeToClearItAgain() {
        assertThat(HintBenefit.isExpected(300 * MIB, 8 * GIB, 8 * GIB, MOST_IS_FREE))
                .isFalse();
    }

    @Test
    void guestThatUsesWhatItHasIsNotDisturbed() {
        assertThat(HintBenefit.isExpected(7 * GIB, 7 * GIB, 8 * GIB, OptionalLong.of(GIB + GIB / 2)))
                .isFalse();
    }

    @Test
    void guestThatDoesNotTellIsAskedWhenMostOfItsMemoryIsOnTheHost() {
        assertThat(HintBenefit.isExpected(7 * GIB, 7 * GIB, 8 * GIB, OptionalLong.empty()))
                .isTrue();
        assertThat(HintBenefit.isExpected(GIB, GIB, 8 * GIB, OptionalLong.empty()))
                .isFalse();
    }

    @Test
    void samplingTellsHowMuchOfMemoryIsNotZeros() throws Exception {
        for (long used : new long[] {0, 1 << 10, 1 << 17, 1 << 20}) {
            Memory memory = new Memory(1 << 20, used);
            assertThat(HintBenefit.contents(memory)).isBetween((used - (1 << 9)) * 4096, (used + (1 << 9)) * 4096);
        }
        assertThat(HintBenefit.contents(new Memory(3, 2))).isEqualTo(2 * 4096);
    }

    /** A memory whose first pages have a byte other than zero at their end. */
    private record Memory(long pages, long used) implements GuestPages {
        @Override
        public int pageSize() {
            return 4096;
        }

        @Override
        public long nextData(long from) {
            return from < used ? from : pages;
        }

        @Override
        public long nextHole(long from) {
            return Math.max(from, used);
        }

        @Override
        public void read(long first, MemorySegment into) {
            into.fill((byte) 0);
            if (first < used) {
                into.asSlice(into.byteSize() - 1).fill((byte) 1);
            }
        }
    }
}
