package org.exomem.fuzz;

import java.util.Arrays;

/**
 * The input of a harness, read from the front: little-endian numbers, and zeros after the end. So a longer input has
 * the meaning of its prefix, followed by more. A fuzzer's mutations work best on such inputs.
 */
final class Input {
    private final byte[] bytes;
    private int at;

    Input(byte[] bytes) {
        this.bytes = bytes;
    }

    /** True if all of it was read. */
    boolean isAtEnd() {
        return at >= bytes.length;
    }

    /** The number of bytes that were not read. */
    int remaining() {
        return bytes.length - at;
    }

    /** A number from 0 to 255. */
    int u8() {
        return at < bytes.length ? bytes[at++] & 0xff : 0;
    }

    int u16() {
        return u8() | u8() << 8;
    }

    int i32() {
        return u16() | u16() << 16;
    }

    long i64() {
        return (i32() & 0xffff_ffffL) | (long) i32() << 32;
    }

    /** A number from 0 to {@code bound} - 1, from one byte. */
    int below(int bound) {
        return u8() % bound;
    }

    /** The next {@code most} bytes, or fewer at the end. */
    byte[] take(int most) {
        byte[] taken = Arrays.copyOfRange(bytes, at, at + Math.min(most, remaining()));
        at += taken.length;
        return taken;
    }

    /** All remaining bytes. */
    byte[] rest() {
        return take(remaining());
    }
}
