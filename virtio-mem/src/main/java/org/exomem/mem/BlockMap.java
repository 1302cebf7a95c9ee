package org.exomem.mem;

import org.exomem.pages.BitStore;

/**
 * Which blocks of a memory device are plugged: one bit for each, in a {@link BitStore} that may outlive this process. Not
 * thread-safe.
 */
public final class BlockMap {
    /** What a run of blocks has in common. */
    public enum State {
        PLUGGED,
        UNPLUGGED,
        MIXED
    }

    /** Receives runs of blocks. */
    @FunctionalInterface
    public interface RunVisitor<E extends Exception> {
        /**
         * @param first the run's first block
         * @param count its length in blocks, at least 1
         */
        void run(long first, long count) throws E;
    }

    private static final int WORD_BITS = BitStore.WORD_BITS;

    private final BitStore bits;
    private final long blocks;
    private long plugged;

    /**
     * @param bits which blocks are plugged, one bit each; no other bit is set
     * @param blocks the number of blocks
     */
    public BlockMap(BitStore bits, long blocks) {
        this.bits = bits;
        this.blocks = blocks;
        for (long word = 0; word < bits.words(); word++) {
            plugged += Long.bitCount(bits.word(word));
        }
    }

    /** A map of this process only, with all blocks unplugged. */
    public BlockMap(long blocks) {
        this(BitStore.ofHeap(blocks), blocks);
    }

    public long blocks() {
        return blocks;
    }

    /** The number of plugged blocks. */
    public long plugged() {
        return plugged;
    }

    /** The number of words of 64 blocks. */
    long words() {
        return bits.words();
    }

    /** 64 blocks, the first in bit 0. */
    long word(long index) {
        return bits.word(index);
    }

    void setWord(long index, long value) {
        plugged += Long.bitCount(value) - Long.bitCount(bits.word(index));
        bits.setWord(index, value);
    }

    /** The state of {@code count} blocks, at least 1, from {@code first} on. */
    public State state(long first, long count) {
        check(first, count);
        long last = first + count - 1;
        long firstWord = first / WORD_BITS;
        long lastWord = last / WORD_BITS;
        // All others have to be as the first one is.
        boolean isPlugged = (bits.word(firstWord) >>> first & 1) != 0;
        long same = isPlugged ? -1L : 0;
        long others = (bits.word(firstWord) ^ same) & -1L << first;
        if (firstWord < lastWord) {
            if (others != 0 || !bits.areAll(firstWord + 1, lastWord, same)) {
                return State.MIXED;
            }
            others = bits.word(lastWord) ^ same;
        }
        if ((others & -1L >>> ~last) != 0) {
            return State.MIXED;
        }
        return isPlugged ? State.PLUGGED : State.UNPLUGGED;
    }

    /** Marks blocks as plugged or unplugged, whatever they were. */
    public void set(long first, long count, boolean plug) {
        check(first, count);
        long block = first;
        long end = first + count;
        while (block < end) {
            long inWord = inWord(block, end);
            long mask = mask(block, inWord);
            long index = block / WORD_BITS;
            long before = bits.word(index);
            long after = plug ? before | mask : before & ~mask;
            bits.setWord(index, after);
            plugged += Long.bitCount(after) - Long.bitCount(before);
            block += inWord;
        }
    }

    /** Marks all blocks as unplugged. */
    public void clear() {
        if (blocks > 0) {
            set(0, blocks, false);
        }
    }

    /** Gives every run of plugged, or of unplugged, blocks below {@code end}, in ascending order. */
    public <E extends Exception> void forEachRun(boolean ofPlugged, long end, RunVisitor<E> visitor) throws E {
        long from = next(0, end, ofPlugged);
        while (from < end) {
            long to = next(from, end, !ofPlugged);
            visitor.run(from, to - from);
            from = next(to, end, ofPlugged);
        }
    }

    /** The first block at or after {@code from} that is as asked for, or {@code end}. */
    long next(long from, long end, boolean wantPlugged) {
        long block = from;
        while (block < end) {
            long word = bits.word(block / WORD_BITS);
            long candidates = (wantPlugged ? word : ~word) & -1L << block;
            if (candidates != 0) {
                long found = block / WORD_BITS * WORD_BITS + Long.numberOfTrailingZeros(candidates);
                return Math.min(found, end);
            }
            block = (block / WORD_BITS + 1) * WORD_BITS;
        }
        return end;
    }

    private void check(long first, long count) {
        if (first < 0 || count < 1 || first > blocks - count) {
            throw new IndexOutOfBoundsException(count + " blocks from block " + first + " on, of " + blocks);
        }
    }

    private static long inWord(long block, long end) {
        return Math.min(end - block, WORD_BITS - block % WORD_BITS);
    }

    private static long mask(long block, long count) {
        return count == WORD_BITS ? -1L : (1L << count) - 1 << block;
    }
}
