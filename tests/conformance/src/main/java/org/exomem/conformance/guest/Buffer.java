package org.exomem.conformance.guest;

/**
 * One buffer of a chain that a driver makes available.
 *
 * @param address guest-physical
 * @param length bytes, 1 to 2^32 - 1; other lengths are for tests that break the rule
 * @param writable true if the device writes it, false if it reads it
 */
public record Buffer(long address, long length, boolean writable) {
    public static Buffer readable(long address, long length) {
        return new Buffer(address, length, false);
    }

    public static Buffer writable(long address, long length) {
        return new Buffer(address, length, true);
    }
}
