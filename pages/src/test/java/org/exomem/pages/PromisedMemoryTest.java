package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PromisedMemoryTest {
    private final PromisedMemory promised = new PromisedMemory();

    @Test
    void nothingIsPromisedAtFirst() {
        assertThat(promised.next(0, 100)).isEqualTo(100);
        assertThat(promised.nextUnpromised(0, 100)).isZero();
    }

    @Test
    void rangesAreFoundWhereTheyBeginAndEnd() {
        promised.add(40, 10);
        promised.add(10, 10);
        promised.add(20, 5);
        assertThat(promised.next(0, 100)).isEqualTo(10);
        assertThat(promised.next(12, 100)).isEqualTo(12);
        assertThat(promised.nextUnpromised(12, 100)).isEqualTo(25);
        assertThat(promised.nextUnpromised(12, 22)).isEqualTo(22);
        assertThat(promised.next(25, 100)).isEqualTo(40);
        assertThat(promised.next(25, 40)).isEqualTo(40);
        assertThat(promised.next(50, 100)).isEqualTo(100);
        promised.remove(40, 10);
        assertThat(promised.next(25, 100)).isEqualTo(100);
    }
}
