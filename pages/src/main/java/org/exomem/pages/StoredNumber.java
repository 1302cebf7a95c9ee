package org.exomem.pages;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * A number of 32 bits in 8 bytes of memory that may be a mapped file. It survives this process, changes in one store, and
 * shows whether it is as it was left (spec/state.md, STA-NUM-1). For one thread.
 *
 * <pre>
 * 0 value   u32   0 if the number is not set
 * 4 check   u32   a hash of value and place, another one if the number is not set; never 0
 * </pre>
 */
public final class StoredNumber {
    /** The size of the number in memory. */
    public static final long BYTES = 8;

    private static final VarHandle LONG = JAVA_LONG.varHandle();

    private final MemorySegment memory;
    private final long place;

    private StoredNumber(MemorySegment memory, long place) {
        this.memory = memory;
        this.place = place;
    }

    /** Returns a number of this process only, not set. */
    public static StoredNumber ofHeap() {
        StoredNumber number = new StoredNumber(MemorySegment.ofArray(new long[1]), 0);
        number.forget();
        return number;
    }

    /**
     * Writes a number that is not set.
     *
     * @param memory that has the number, aligned to 8
     * @param place its offset there, in bytes, a multiple of 8
     */
    public static void format(MemorySegment memory, long place) {
        new StoredNumber(memory.asSlice(place, BYTES), place).forget();
    }

    /**
     * Opens the number in memory.
     *
     * @param memory that has the number, aligned to 8
     * @param place its offset there, in bytes, a multiple of 8
     * @param name its name, for the message
     * @return the number, which stays in that memory
     * @throws CorruptBitsException if the number is not as it was left
     */
    public static StoredNumber open(MemorySegment memory, long place, String name) throws CorruptBitsException {
        StoredNumber number = new StoredNumber(memory.asSlice(place, BYTES), place);
        if (number.isSet() && number.word() != number.encode(number.get())) {
            throw new CorruptBitsException(
                    String.format("%s has %#x, which does not match its check", name, number.word()));
        }
        return number;
    }

    /** True if the number is set. */
    public boolean isSet() {
        return word() != unset();
    }

    /** The number, all 32 bits; 0 if it is not set. */
    public int get() {
        return (int) word();
    }

    /** Sets the number to any 32 bits; it is in memory when this returns. */
    public void set(int value) {
        LONG.setRelease(memory, 0L, encode(value));
    }

    /** Unsets the number. */
    public void forget() {
        LONG.setRelease(memory, 0L, unset());
    }

    private long word() {
        return (long) LONG.get(memory, 0L);
    }

    private long encode(int value) {
        long unsigned = Integer.toUnsignedLong(value);
        return check(unsigned + 1) | unsigned;
    }

    /** No value has this check (STA-ZERO-1), nor has memory that was never written or was wiped. */
    private long unset() {
        return check(-1);
    }

    private long check(long of) {
        return (BitStore.hash(place, of) | 1) << Integer.SIZE;
    }
}
