package org.exomem.pages;

/**
 * Bits in words of 64: bit {@code b} of word {@code w} is number {@code 64 * w + b}. The one place that splits ranges of
 * bits into words and finds runs of bits. Final classes implement this: then the JVM compiles each walk for their own words.
 */
public interface BitWords {
    /** The bits of a word. */
    int WORD = Long.SIZE;

    /** The 64 bits of a word, the first in bit 0. */
    long word(long index);

    /** The index of the word that a bit is in. */
    static long index(long bit) {
        return bit >>> 6;
    }

    /** The first bit of the word behind the one that a bit is in. With {@link #mask} it walks a range word by word. */
    static long nextWord(long bit) {
        return (bit | (WORD - 1)) + 1;
    }

    /** Of the word of bit {@code from}, the bits {@code from} up to before {@code end}; {@code end} is behind {@code from}. */
    static long mask(long from, long end) {
        long head = -1L << from;
        return end < nextWord(from) ? head & ~(-1L << end) : head;
    }

    /**
     * The first bit at or behind {@code from} that is as asked for.
     *
     * @param end where to stop, at most the number of bits that there are
     * @param set whether to look for a bit that is set, or for one that is not
     * @return {@code end} if there is none before it
     */
    default long next(long from, long end, boolean set) {
        if (from >= end) {
            return end;
        }
        long flip = set ? 0 : -1L;
        long last = index(end - 1);
        long index = index(from);
        long found = (word(index) ^ flip) & (-1L << from);
        while (found == 0) {
            if (index == last) {
                return end;
            }
            index++;
            found = word(index) ^ flip;
        }
        return Math.min(end, index * WORD + Long.numberOfTrailingZeros(found));
    }

    /**
     * Gives every run of bits that are as asked for, in ascending order. A visitor may change the bits of its run.
     *
     * @param from the first bit to look at; a run that began before is given from here on
     * @param end where to stop, at most the number of bits that there are; a run that goes on is given up to here
     * @param set whether to look for bits that are set, or for those that are not
     */
    default <E extends Exception> void forEachRun(long from, long end, boolean set, RunVisitor<E> visitor) throws E {
        for (long first = next(from, end, set); first < end; ) {
            long behind = next(first, end, !set);
            visitor.run(first, behind - first);
            first = next(behind, end, set);
        }
    }
}
