package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;

/** Checks for zeros in pieces: byte by byte, a large ring would take longer than a step of the event loop may. */
final class Zeros {
    /** The largest piece that is compared at once, in bytes. */
    static final int PIECE = 4096;

    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[PIECE]);

    private Zeros() {}

    /** True if the bytes are all 0. */
    static boolean fill(MemorySegment bytes) {
        long size = bytes.byteSize();
        for (long at = 0; at < size; at += PIECE) {
            long length = Math.min(PIECE, size - at);
            if (MemorySegment.mismatch(bytes, at, at + length, ZEROS, 0, length) != -1) {
                return false;
            }
        }
        return true;
    }
}
