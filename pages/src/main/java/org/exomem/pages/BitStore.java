package org.exomem.pages;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Bits in words of 64, in memory that may be a mapped file: then they outlive this process however it ends, and whoever
 * opens them again can tell whether they are as they were left. Not thread-safe.
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
 * A process can be killed between any two stores, and what it has stored stays. Stores are releases, so that they happen in
 * the order that is written here. A word that was being changed is found as it was or as it was to be; all others, and the
 * digest but for that word, must fit (spec/state.md, STA-BIT).
 */
public final class BitStore implements BitWords {
    private static final VarHandle LONG = JAVA_LONG.varHandle();
    private static final long DIGEST = 0;
    private static final long CHANGING = 8;
    private static final long BEFORE = 16;
    private static final long AFTER = 24;
    private static final long HEADER = 64;
    /** The digest of a store of zeros; not 0, so that memory that was wiped is no store. */
    private static final long NOTHING = 0x65786f6d656d6273L;

    private final MemorySegment memory;
    private final long words;

    private BitStore(MemorySegment memory, long words) {
        this.memory = memory;
        this.words = words;
    }

    /** The bytes that a store of so many bits takes: 64, and 8 for each word. */
    public static long bytes(long bits) {
        return HEADER + words(bits) * Long.BYTES;
    }

    private static long words(long bits) {
        return (bits + WORD - 1) / WORD;
    }

    /**
     * A store of this process only, all bits 0.
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
     * Makes memory of zeros a store of zeros.
     *
     * @param memory aligned to 8
     */
    public static void format(MemorySegment memory) {
        LONG.setRelease(memory, DIGEST, NOTHING);
    }

    /**
     * Takes up what the memory holds.
     *
     * @param memory of at least {@link #bytes} bytes, aligned to 8
     * @param bits of the store; none is set behind them
     * @throws CorruptBitsException if the bits are not as they were left; nothing was changed
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
            throw new CorruptBitsException("bits are set behind the last one");
        }
        LONG.setRelease(memory, DIGEST, sum);
        LONG.setRelease(memory, CHANGING, 0L);
        return store;
    }

    /** Checks that the words are those of the digest, or that all of them are but the one that was being changed (STA-BIT-3). */
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
                    "the bits do not match their digest, also but for word " + index + ", which was being changed");
        }
    }

    /** The number of words. */
    public long words() {
        return words;
    }

    /** Bits 64 times {@code index} and up, the first in bit 0; of a word below {@link #words}. */
    @Override
    public long word(long index) {
        return memory.get(JAVA_LONG, HEADER + index * Long.BYTES);
    }

    /** True if the words from {@code from} on, to before {@code to}, at most 2^31 - 1 of them, are all {@code value}. */
    public boolean areAll(long from, long to, long value) {
        long first = HEADER + from * Long.BYTES;
        int count = Math.toIntExact(to - from);
        long others = 0;
        // Counted by an int, one word at a time, no way out: so the JVM makes it a loop over vectors.
        for (int i = 0; i < count; i++) {
            others |= memory.get(JAVA_LONG, first + (long) Long.BYTES * i) ^ value;
        }
        return others == 0;
    }

    /**
     * Changes a word below {@link #words}; it is in memory when this returns, by the stores of STA-BIT-2.
     *
     * @param value no bit behind the store's last one is set
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

    /** STA-BIT-1. 0 for a word of zeros, so that the digest of a store of zeros does not depend on its size. */
    static long hash(long index, long word) {
        if (word == 0) {
            return 0;
        }
        // The finaliser of a common 64-bit mixer: every bit of word and index changes every bit of the result.
        long h = (word * 0x9e3779b97f4a7c15L) ^ ((index + 1) * 0xc2b2ae3d27d4eb4fL);
        h = (h ^ (h >>> 32)) * 0xd6e8feb86659fd93L;
        h = (h ^ (h >>> 32)) * 0xd6e8feb86659fd93L;
        return h ^ (h >>> 32);
    }
}
