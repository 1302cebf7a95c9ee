package org.exomem.mem;

import org.exomem.pages.BitStore;
import org.exomem.pages.BitWords;
import org.exomem.pages.RunVisitor;

/**
 * Which blocks of a memory device are plugged: one bit for each, in a {@link BitStore} that may outlive this process. For
 * one thread.
 */
public final class BlockMap implements BitWords {
    /** What the blocks of a run have in common. */
    public enum State {
        PLUGGED,
        UNPLUGGED,
        MIXED
    }

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

    /** A map for this process only, with all blocks unplugged. */
    public BlockMap(long blocks) {
        this(BitStore.ofHeap(blocks), blocks);
    }

    /** The number of blocks, plugged or not. */
    public long blocks() {
        return blocks;
    }

    /** The number of plugged blocks, correct at every moment (MEM-CFG-3). */
    public long plugged() {
        return plugged;
    }

    /** The number of words of 64 blocks. */
    long words() {
        return bits.words();
    }

    /** 64 blocks, the first in bit 0. */
    @Override
    public long word(long index) {
        return bits.word(index);
    }

    void setWord(long index, long value) {
        plugged += Long.bitCount(value) - Long.bitCount(bits.word(index));
        bits.setWord(index, value);
    }

    /** The state of {@code count} blocks, at least 1, starting at {@code first}. */
    public State state(long first, long count) {
        check(first, count);
        long last = first + count - 1;
        long firstWord = BitWords.index(first);
        long lastWord = BitWords.index(last);
        // All others must have the state of the first one.
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

    /** Marks blocks as plugged or unplugged, whatever their state was. */
    public void set(long first, long count, boolean plug) {
        check(first, count);
        long end = first + count;
        for (long block = first; block < end; block = BitWords.nextWord(block)) {
            long mask = BitWords.mask(block, end);
            long index = BitWords.index(block);
            setWord(index, plug ? bits.word(index) | mask : bits.word(index) & ~mask);
        }
    }

    /** Marks all blocks as unplugged. */
    public void clear() {
        if (blocks > 0) {
            set(0, blocks, false);
        }
    }

    /** Visits every run of plugged, or of unplugged, blocks below {@code end}, in ascending order. */
    public <E extends Exception> void forEachRun(boolean ofPlugged, long end, RunVisitor<E> visitor) throws E {
        forEachRun(0, end, ofPlugged, visitor);
    }

    private void check(long first, long count) {
        if (first < 0 || count < 1 || first > blocks - count) {
            throw new IndexOutOfBoundsException(count + " blocks from block " + first + " on, of " + blocks);
        }
    }
}
