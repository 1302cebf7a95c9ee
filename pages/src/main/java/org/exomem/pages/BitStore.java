package org.exomem.pages;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Bits in words of 64, in memory that may be a mapped file. Then they survive the end of this process, and the next one can
 * check that they are as they were left. For one thread.
 *
 * <pre>
 *  0 digest     u64   a constant, and a hash of every word that is not 0
 *  8 changing   u64   1 + index of the word that is being changed, 0 if none is
 * 16 before     u64   that word as it was
 * 24 after      u64   that word as it will be
 * 32 reserved   32 bytes
 * 64 words
 * </pre>
 *
 * <p>A process can be killed between any two stores, and its earlier stores remain. Stores are releases, so that they take
 * effect in program order. A word that was being changed has its old or its new value. All other words, and the digest
 * without that word, must match (spec/state.md, STA-BIT).
 */
public final class BitStore implements BitWords {
    private static final VarHandle LONG = JAVA_LONG.varHandle();
    private static final long DIGEST = 0;
    private static final long CHANGING = 8;
    private static final long BEFORE = 16;
    private static final long AFTER = 24;
    private static final long HEADER = 64;
    /** The digest of a store of zeros; not 0, so that wiped memory is no store. */
    private static final long NOTHING = 0x65786f6d656d6273L;

    private final MemorySegment memory;
    private final long words;

    private BitStore(MemorySegment memory, long words) {
        this.memory = memory;
        this.words = words;
    }

    /** The size of a store of this number of bits in bytes: 64, and 8 for each word. */
    public static long bytes(long bits) {
        return HEADER + words(bits) * Long.BYTES;
    }

    private static long words(long bits) {
        return (bits + WORD - 1) / WORD;
    }

    /**
     * Returns a store of this process only, all bits 0.
     *
     * @param bits 0 to about 2^36
     */
    public static BitStore ofHeap(long bits) {
        long longs = bytes(bits) / Long.BYTES;
        MemorySegment memory = MemorySegment.ofArray(new long[Math.toIntExact(longs)]);
        format(memory);
        return new BitStore(memory, words(bits));
    }

    /**
     * Turns memory of zeros into a store of zeros.
     *
     * @param memory aligned to 8
     */
    public static void format(MemorySegment memory) {
        LONG.setRelease(memory, DIGEST, NOTHING);
    }

    /**
     * Opens the store in memory.
     *
     * @param memory of at least {@link #bytes} bytes, aligned to 8
     * @param bits of the store; none is set after them
     * @throws CorruptBitsException if the bits are not as they were left; nothing has changed then
     */
    public static BitStore open(MemorySegment memory, long bits) throws CorruptBitsException {
        BitStore store = new BitStore(memory, words(bits));
        long sum = NOTHING;
        for (long i = 0; i < store.words; i++) {
            sum += hash(i, store.word(i));
        }
        store.settle(sum);
        long spare = store.words * WORD - bits;
        if (spare > 0 && store.word(store.words - 1) >>> (WORD - spare) != 0) {
            throw new CorruptBitsException("bits are set after the last one");
        }
        LONG.setRelease(memory, DIGEST, sum);
        LONG.setRelease(memory, CHANGING, 0L);
        return store;
    }

    /** Checks that all words match the digest, or all words but the one that was being changed (STA-BIT-3). */
    private void settle(long sum) throws CorruptBitsException {
        long digest = (long) LONG.get(memory, DIGEST);
        long changing = (long) LONG.get(memory, CHANGING);
        if (changing == 0) {
            if (digest != sum) {
                throw new CorruptBitsException("the bits do not match their digest");
            }
            return;
        }
        long index = changing - 1;
        if (index < 0 || index >= words) {
            throw new CorruptBitsException("word " + Long.toUnsignedString(index) + " was being changed, of " + words);
        }
        long before = (long) LONG.get(memory, BEFORE);
        long after = (long) LONG.get(memory, AFTER);
        long found = word(index);
        long others = sum - hash(index, found);
        boolean wordFits = found == before || found == after;
        boolean digestFits = digest == others + hash(index, before) || digest == others + hash(index, after);
        if (!wordFits || !digestFits) {
            throw new CorruptBitsException(
                    "the bits do not match their digest, even without word " + index + ", which was being changed");
        }
    }

    /** The number of words. */
    public long words() {
        return words;
    }

    /** The bits from 64 times {@code index} on, the first in bit 0; {@code index} is below {@link #words}. */
    @Override
    public long word(long index) {
        return memory.get(JAVA_LONG, HEADER + index * Long.BYTES);
    }

    /** True if the words from {@code from} to before {@code to}, at most 2^31 - 1 of them, all equal {@code value}. */
    public boolean areAll(long from, long to, long value) {
        long first = HEADER + from * Long.BYTES;
        int count = Math.toIntExact(to - from);
        long others = 0;
        // With an int counter, one word at a time and no exit, so that the JVM vectorises the loop.
        for (int i = 0; i < count; i++) {
            others |= memory.get(JAVA_LONG, first + (long) Long.BYTES * i) ^ value;
        }
        return others == 0;
    }

    /**
     * Sets a word, by the stores of STA-BIT-2; it is in memory when this returns.
     *
     * @param index below {@link #words}
     * @param value has no bit after the store's last one
     */
    public void setWord(long index, long value) {
        long before = word(index);
        if (before == value) {
            return;
        }
        long digest = (long) LONG.get(memory, DIGEST) + hash(index, value) - hash(index, before);
        LONG.setRelease(memory, BEFORE, before);
        LONG.setRelease(memory, AFTER, value);
        LONG.setRelease(memory, CHANGING, index + 1);
        LONG.setRelease(memory, HEADER + index * Long.BYTES, value);
        LONG.setRelease(memory, DIGEST, digest);
        LONG.setRelease(memory, CHANGING, 0L);
    }

    /** STA-BIT-1. 0 for a word of zeros, so that the digest of a store of zeros is independent of its size. */
    static long hash(long index, long word) {
        if (word == 0) {
            return 0;
        }
        // The finaliser of a common 64-bit mixer: every bit of word and index affects every bit of the result.
        long h = (word * 0x9e3779b97f4a7c15L) ^ ((index + 1) * 0xc2b2ae3d27d4eb4fL);
        h = (h ^ (h >>> 32)) * 0xd6e8feb86659fd93L;
        h = (h ^ (h >>> 32)) * 0xd6e8feb86659fd93L;
        return h ^ (h >>> 32);
    }
}
