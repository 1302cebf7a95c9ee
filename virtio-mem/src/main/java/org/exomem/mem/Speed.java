package org.exomem.mem;

/** The rate at which a number of bytes changes, over the last one to two windows of a second. */
final class Speed {
    private static final long WINDOW = 1_000_000_000L;

    private long olderBytes;
    private long olderTime;
    private long newerBytes;
    private long newerTime;

    /** Starts to measure at a time in ns. */
    Speed(long bytes, long now) {
        olderBytes = bytes;
        newerBytes = bytes;
        olderTime = now;
        newerTime = now;
    }

    /** Bytes a second, up or down; 0 at the very start. */
    long at(long bytes, long now) {
        if (now - newerTime >= WINDOW) {
            olderBytes = newerBytes;
            olderTime = newerTime;
            newerBytes = bytes;
            newerTime = now;
        }
        long elapsed = now - olderTime;
        return elapsed <= 0 ? 0 : (long) (Math.abs(bytes - olderBytes) * 1e9 / elapsed);
    }
}
