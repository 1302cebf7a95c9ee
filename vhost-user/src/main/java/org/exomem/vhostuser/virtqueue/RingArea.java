package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;

/**
 * One of the three parts of a ring, resolved in guest memory.
 *
 * @param guestAddress of its first byte, guest-physical, for the dirty log
 * @param bytes exactly the part, contiguous in one region
 */
public record RingArea(long guestAddress, MemorySegment bytes) {}
