package org.exomem.conformance.guest;

/**
 * A chain that has returned.
 *
 * @param id the result of {@link RingDriver#add} for it
 * @param written the number of bytes that the device reports as written
 */
public record Used(int id, long written) {}
