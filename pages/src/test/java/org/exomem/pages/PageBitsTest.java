package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PageBitsTest {
    private static PageBits of(BitSet bits, int pages) {
        PageBits set = new PageBits(pages);
        bits.stream().forEach(set::add);
        return set;
    }

    private static BitSet random(Random random, int pages) {
        BitSet bits = new BitSet();
        while (random.nextInt(8) != 0) {
            int from = random.nextInt(pages);
            bits.set(from, from + random.nextInt(Math.min(150, pages - from) + 1), random.nextInt(4) != 0);
        }
        return bits;
    }

    private static void assertSame(PageBits set, BitSet expected, String what) {
        assertThat(set.count()).as(what).isEqualTo(expected.cardinality());
        assertThat(set.isEmpty()).as(what).isEqualTo(expected.isEmpty());
        BitSet runs = new BitSet();
        set.forEachRun((first, count) -> {
            assertThat(first == 0 || !runs.get((int) first - 1))
                    .as(what + ": a run is whole")
                    .isTrue();
            runs.set((int) first, (int) (first + count));
        });
        assertThat(runs).as(what).isEqualTo(expected);
    }

    @Test
    void behavesLikeTheJdksBitSet() {
        for (int seed = 0; seed < 2000; seed++) {
            Random random = new Random(seed);
            int pages = 1 + random.nextInt(300);
            BitSet a = random(random, pages);
            BitSet b = random(random, pages);
            String what = "seed " + seed;
            PageBits set = of(a, pages);
            assertSame(set, a, what);

            int from = random.nextInt(pages);
            int count = random.nextInt(pages - from + 1);
            set.add(from, count);
            a.set(from, from + count);
            assertSame(set, a, what);
            from = random.nextInt(pages);
            count = random.nextInt(pages - from + 1);
            set.remove(from, count);
            a.clear(from, from + count);
            assertSame(set, a, what);

            set.or(of(b, pages));
            a.or(b);
            assertSame(set, a, what);
            b = random(random, pages);
            set.andNot(of(b, pages));
            a.andNot(b);
            assertSame(set, a, what);
            b = random(random, pages);
            set.and(of(b, pages));
            a.and(b);
            assertSame(set, a, what);

            long word = random.nextLong();
            int at = random.nextInt(pages);
            word = pages - at >= 64 ? word : word & ((1L << (pages - at)) - 1);
            set.or(at, word);
            a.or(shifted(word, at));
            assertSame(set, a, what);
            assertThat(set.next(at)).isEqualTo(a.nextSetBit(at) < 0 ? pages : a.nextSetBit(at));
            assertThat(set.nextAbsent(at)).isEqualTo(Math.min(pages, a.nextClearBit(at)));
            assertThat(set.contains(at)).isEqualTo(a.get(at));
        }
    }

    private static BitSet shifted(long word, int by) {
        BitSet bits = new BitSet();
        BitSet.valueOf(new long[] {word}).stream().forEach(bit -> bits.set(bit + by));
        return bits;
    }

    @Test
    void wordsAreTakenAndAddedUpToTheLastPage() {
        PageBits set = new PageBits(70);
        set.orWord(1, -1);
        assertThat(set).hasToString("64-69");
        set.add(3);
        assertThat(set.takeWord(0)).isEqualTo(8);
        assertThat(set.takeWord(1)).isEqualTo(63);
        assertThat(set.isEmpty()).isTrue();
    }

    @Test
    void pagesOutOfRangeAreAnError() {
        PageBits set = new PageBits(70);
        assertThatThrownBy(() -> set.add(70)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> set.add(60, 11)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> set.remove(-1, 2)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> set.or(69, 3)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> set.or(new PageBits(71))).isInstanceOf(IllegalArgumentException.class);
        assertThat(set.isEmpty()).isTrue();
    }
}
