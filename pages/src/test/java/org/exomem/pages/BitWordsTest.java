package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BitWordsTest {
    @Test
    void masksCoverTheirRangeAndNothingElse() {
        for (int from = 0; from < 130; from++) {
            for (int end = from + 1; end < 200; end++) {
                BitSet covered = new BitSet();
                for (long at = from; at < end; at = BitWords.nextWord(at)) {
                    long mask = BitWords.mask(at, end);
                    for (int b = 0; b < 64; b++) {
                        if ((mask >>> b & 1) != 0) {
                            covered.set((int) BitWords.index(at) * 64 + b);
                        }
                    }
                }
                BitSet range = new BitSet();
                range.set(from, end);
                assertThat(covered).isEqualTo(range);
            }
        }
    }

    @Test
    void runsAreThoseOfABitSet() {
        Random random = new Random(4711);
        for (int round = 0; round < 2000; round++) {
            BitSet bits = new BitSet();
            for (int i = random.nextInt(6); i > 0; i--) {
                int first = random.nextInt(256);
                bits.set(first, Math.min(256, first + 1 + random.nextInt(100)));
            }
            long[] words = new long[4];
            System.arraycopy(bits.toLongArray(), 0, words, 0, bits.toLongArray().length);
            BitWords walked = index -> words[(int) index];
            int from = random.nextInt(256);
            int end = from + random.nextInt(257 - from);
            boolean set = random.nextBoolean();
            List<String> expected = new ArrayList<>();
            for (int at = from; at < end; ) {
                int first = Math.min(end, set ? next(bits.nextSetBit(at)) : bits.nextClearBit(at));
                if (first == end) {
                    break;
                }
                at = Math.min(end, set ? bits.nextClearBit(first) : next(bits.nextSetBit(first)));
                expected.add(first + "+" + (at - first));
            }
            List<String> runs = new ArrayList<>();
            walked.forEachRun(from, end, set, (first, count) -> runs.add(first + "+" + count));
            assertThat(runs)
                    .as("round %d: %d to %d, %b, of %s", round, from, end, set, bits)
                    .isEqualTo(expected);
        }
    }

    private static int next(int bit) {
        return bit < 0 ? Integer.MAX_VALUE : bit;
    }
}
