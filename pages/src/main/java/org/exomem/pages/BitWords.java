package org.exomem.pages;

/**
 * Bits in words of 64: bit {@code b} of word {@code w} is number {@code 64 * w + b}. Only this interface splits ranges of
 * bits into words and finds runs of bits. Implementing classes are final, so that the JVM compiles each loop for their own
 * words.
 */
public interface BitWords {
    /** The bits of a word. */
    int WORD = Long.SIZE;

    /** The 64 bits of a word, the first in bit 0. */
    long word(long index);

    /** The index of a bit's word. */
    static long index(long bit) {
        return bit >>> 6;
    }

    /** The first bit of the next word. With {@link #mask} it walks a range word by word. */
    static long nextWord(long bit) {
        return (bit | (WORD - 1)) + 1;
    }

    /** In the word of bit {@code from}, the bits from {@code from} to before {@code end}, which is larger. */
    static long mask(long from, long end) {
        long head = -1L << from;
        return end < nextWord(from) ? head & ~(-1L << end) : head;
    }

    /**
     * The first bit at or after {@code from} with the wanted value.
     *
     * @param end the end of the search, at most the number of bits
     * @param set the wanted value
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
     * Visits every run of bits with the wanted value, in ascending order. A visitor may change the bits of its run.
     *
     * @param from the first bit; a run that began before it begins here
     * @param end the end of the search, at most the number of bits; a run that continues ends here
     * @param set the wanted value
     */
    default <E extends Exception> void forEachRun(long from, long end, boolean set, RunVisitor<E> visitor) throws E {
        for (long first = next(from, end, set); first < end; ) {
            long behind = next(first, end, !set);
            visitor.run(first, behind - first);
            first = next(behind, end, set);
        }
    }
}
