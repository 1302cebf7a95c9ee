package org.exomem.conform.explore;

/**
 * The layout of a script's guest memory, in bytes. It is constant, so that a script means the same in each run. User
 * addresses are names only: the back-end maps files, and sees no memory of the front-end.
 */
final class GuestLayout {
    static final long MEMORY = 4L << 20;
    static final long USER = 0x7f0000000000L;
    static final int RING_SIZE = 16;
    static final int RINGS = 3;
    static final long BUFFERS = 1L << 20;

    private static final long FIRST_RING = 0x10000;
    private static final long RING_DISTANCE = 0x4000;

    private GuestLayout() {}

    static long descriptors(int ring) {
        return FIRST_RING + ring * RING_DISTANCE;
    }

    static long available(int ring) {
        return descriptors(ring) + 0x1000;
    }

    static long used(int ring) {
        return descriptors(ring) + 0x2000;
    }
}
