package org.exomem.conformance.frontend;

/**
 * The addresses of a ring's three parts: the front-end's own addresses, or guest addresses under GPA_ADDRESSES. For a
 * packed ring {@code available} is the driver's and {@code used} the device's event suppression.
 *
 * @param flags bit 0: log the writes of the used part at {@code log}
 * @param log guest-physical address at which writes of the used part are logged
 */
public record RingAddresses(int index, int flags, long descriptors, long used, long available, long log) {
    /** The flag that requests entries in the dirty log for writes of the used part. */
    public static final int LOG = 1;
}
