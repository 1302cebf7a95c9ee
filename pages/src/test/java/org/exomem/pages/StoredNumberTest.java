package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class StoredNumberTest {
    private final long[] memory = new long[2];

    private StoredNumber open() throws CorruptBitsException {
        return StoredNumber.open(MemorySegment.ofArray(memory), 8, "a number");
    }

    @Test
    @Tag("STA-NUM-1")
    void numberThatIsNotSetHasTheValueZeroAndACheckOfItsOwn() throws CorruptBitsException {
        StoredNumber.format(MemorySegment.ofArray(memory), 8);
        assertThat(open().isSet()).isFalse();
        assertThat(open().get()).isZero();
        assertThat(memory[1] & 0xffffffffL).isZero();
        long unset = memory[1];
        open().set(0);
        assertThat(open().isSet()).isTrue();
        assertThat(memory[1]).isNotEqualTo(unset);
        open().forget();
        assertThat(memory).containsExactly(0, unset);
    }

    @Test
    @Tag("STA-NUM-1")
    void nextProcessFindsTheNumberInItsEightBytes() throws CorruptBitsException {
        StoredNumber.format(MemorySegment.ofArray(memory), 8);
        for (int value : new int[] {0, 1, -1, Integer.MIN_VALUE, 4711}) {
            open().set(value);
            assertThat(open().get()).isEqualTo(value);
            assertThat((int) memory[1]).isEqualTo(value);
            assertThat(memory[0]).as("nothing else changes").isZero();
        }
    }

    @Test
    @Tag("STA-NUM-1")
    void noBitOfANumberChangesUnseen() throws CorruptBitsException {
        StoredNumber.format(MemorySegment.ofArray(memory), 8);
        open().set(4711);
        for (int bit = 0; bit < Long.SIZE; bit++) {
            memory[1] ^= 1L << bit;
            assertThatThrownBy(this::open)
                    .isInstanceOf(CorruptBitsException.class)
                    .hasMessageContaining("a number has 0x");
            memory[1] ^= 1L << bit;
        }
    }

    @Test
    @Tag("STA-ZERO-1")
    void eightZerosAreNoNumber() {
        assertThatThrownBy(this::open).isInstanceOf(CorruptBitsException.class);
    }
}
