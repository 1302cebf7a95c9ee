package org.exomem.conformance.guest;

/**
 * A chain that came back.
 *
 * @param id what {@link RingDriver#add} returned for it
 * @param written the bytes that the device says it has written
 */
public record Used(int id, long written) {}
