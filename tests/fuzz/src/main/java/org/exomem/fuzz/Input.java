package org.exomem.fuzz;

import java.util.Arrays;

/**
 * The input of a harness, read from the front: numbers little-endian, and zeros behind the end. So a longer input means the same
 * as a shorter one and something more, which is what mutations of a fuzzer work best on.
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

    /** How many bytes were not read. */
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

    /** A number from 0 to {@code bound} - 1, of one byte. */
    int below(int bound) {
        return u8() % bound;
    }

    /** So many bytes, or those that are left. */
    byte[] take(int most) {
        byte[] taken = Arrays.copyOfRange(bytes, at, at + Math.min(most, remaining()));
        at += taken.length;
        return taken;
    }

    /** All that is left. */
    byte[] rest() {
        return take(remaining());
    }
}
