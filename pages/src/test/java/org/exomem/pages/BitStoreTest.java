package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class BitStoreTest {
    private static final int BITS = 200;
    /** Offsets in the memory, in words of 8 bytes (spec/state.md, "Parts of a body"). */
    private static final int DIGEST = 0;

    private static final int CHANGING = 1;
    private static final int BEFORE = 2;
    private static final int AFTER = 3;
    private static final int WORDS = 8;

    private final long[] memory = new long[(int) BitStore.bytes(BITS) / Long.BYTES];

    private BitStore formatted() throws CorruptBitsException {
        BitStore.format(MemorySegment.ofArray(memory));
        return open(memory);
    }

    private static BitStore open(long[] memory) throws CorruptBitsException {
        return BitStore.open(MemorySegment.ofArray(memory), BITS);
    }

    @Test
    void nextProcessFindsTheBitsAsTheyWereLeft() throws CorruptBitsException {
        BitStore store = formatted();
        store.setWord(1, 0x5555);
        store.setWord(3, 0x7f);
        store.setWord(1, 0x4444);
        BitStore next = open(memory);
        assertThat(List.of(next.word(0), next.word(1), next.word(2), next.word(3)))
                .containsExactly(0L, 0x4444L, 0L, 0x7fL);
        assertThat(next.words()).isEqualTo(4);
    }

    @Test
    @Tag("STA-BIT-1")
    void digestIsAConstantAndTheHashOfEachWordThatIsNotZero() throws CorruptBitsException {
        BitStore store = formatted();
        long constant = memory[DIGEST];
        assertThat(constant).isNotZero();
        store.setWord(0, 5);
        long first = memory[DIGEST] - constant;
        store.setWord(2, 5);
        long both = memory[DIGEST] - constant;
        store.setWord(0, 0);
        long second = memory[DIGEST] - constant;
        assertThat(both).isEqualTo(first + second);
        assertThat(first).as("the place counts").isNotEqualTo(second);
        store.setWord(2, 0);
        assertThat(memory[DIGEST]).isEqualTo(constant);
    }

    @Test
    @Tag("STA-BIT-2")
    @Tag("STA-BIT-3")
    void processMayEndAfterAnyStoreOfAChange() throws CorruptBitsException {
        formatted().setWord(0, -1);
        open(memory).setWord(2, 12);
        long[] before = memory.clone();
        open(memory).setWord(2, 10);
        long[][] stores = {
            {BEFORE, 12}, {AFTER, 10}, {CHANGING, 3}, {WORDS + 2, 10}, {DIGEST, memory[DIGEST]}, {CHANGING, 0}
        };
        for (int done = 0; done <= stores.length; done++) {
            long[] cut = before.clone();
            for (int i = 0; i < done; i++) {
                cut[(int) stores[i][0]] = stores[i][1];
            }
            BitStore found = open(cut);
            assertThat(found.word(2)).as("after %d stores", done).isEqualTo(done < 4 ? 12 : 10);
            assertThat(found.word(0)).isEqualTo(-1);
            found.setWord(2, 1);
            assertThat(open(cut).word(2)).as("it goes on after %d stores", done).isEqualTo(1);
        }
        assertThat(memory).as("these are all stores").isEqualTo(replay(before, stores));
    }

    private static long[] replay(long[] before, long[][] stores) {
        long[] after = before.clone();
        for (long[] store : stores) {
            after[(int) store[0]] = store[1];
        }
        return after;
    }

    @Test
    @Tag("STA-BIT-3")
    void noBitOfAWordOrTheDigestChangesUnseen() throws CorruptBitsException {
        formatted().setWord(1, 77);
        List<Integer> places = new ArrayList<>(List.of(DIGEST));
        for (int word = 0; word < 4; word++) {
            places.add(WORDS + word);
        }
        for (int place : places) {
            for (int bit = 0; bit < Long.SIZE; bit++) {
                long[] bent = memory.clone();
                bent[place] ^= 1L << bit;
                assertThatThrownBy(() -> open(bent)).isInstanceOf(CorruptBitsException.class);
            }
        }
    }

    @Test
    @Tag("STA-BIT-3")
    void changeOfAWordThatDoesNotExistIsFound() throws CorruptBitsException {
        formatted();
        memory[CHANGING] = 5;
        assertThatThrownBy(() -> open(memory))
                .isInstanceOf(CorruptBitsException.class)
                .hasMessageContaining("word 4 was being changed, of 4");
    }

    @Test
    @Tag("STA-ZERO-1")
    void memoryOfZerosIsNoStore() {
        assertThatThrownBy(() -> open(memory)).isInstanceOf(CorruptBitsException.class);
    }
}
