package org.exomem.images.copy;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/** Finds pages of zeros. */
final class ZeroPages {
    private static final long PAGE = 4096;
    /** The bytes between two checks: most pages that are not zeros show it at once. */
    private static final long STRIDE = 8 * Long.BYTES;

    private ZeroPages() {}

    /** @param offset of the page in the memory, in bytes, a multiple of 8 */
    static boolean isZero(MemorySegment memory, long offset) {
        for (long at = offset; at < offset + PAGE; at += STRIDE) {
            long any = 0;
            for (long word = at; word < at + STRIDE; word += Long.BYTES) {
                any |= memory.get(JAVA_LONG, word);
            }
            if (any != 0) {
                return false;
            }
        }
        return true;
    }

    /** The end of the run of pages that are zeros, or are not, like the first page. Offsets in bytes, whole pages. */
    static long runEnd(MemorySegment memory, long from, long end, boolean zero) {
        long at = from + PAGE;
        while (at < end && isZero(memory, at) == zero) {
            at += PAGE;
        }
        return Math.min(at, end);
    }
}
