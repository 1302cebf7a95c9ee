package org.exomem.migration;

/** Pseudo-random numbers, the same for the same seed; faster than the JDK's. */
public final class Chance {
    private long state;

    public Chance(long seed) {
        this.state = seed * 0x9e3779b97f4a7c15L;
    }

    public long next() {
        state += 0x9e3779b97f4a7c15L;
        long z = (state ^ state >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }

    /** A number from 0 to {@code bound - 1}. */
    public int below(int bound) {
        return (int) ((next() >>> 33) * bound >>> 31);
    }

    /** True once in {@code times} calls on average. */
    public boolean oneIn(int times) {
        return below(times) == 0;
    }
}
