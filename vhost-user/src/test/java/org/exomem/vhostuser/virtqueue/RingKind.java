package org.exomem.vhostuser.virtqueue;

import java.util.stream.IntStream;
import java.util.stream.Stream;

/** One combination of ring features, as negotiated for a test. */
record RingKind(boolean packed, boolean eventIndex, boolean indirect, boolean inOrder) {
    static Stream<RingKind> all() {
        return IntStream.range(0, 16)
                .mapToObj(i -> new RingKind((i & 8) != 0, (i & 4) != 0, (i & 2) != 0, (i & 1) != 0));
    }

    /** Split and packed, nothing else negotiated. */
    static Stream<RingKind> plain() {
        return Stream.of(SPLIT, PACKED);
    }

    /** All ways in which the two sides report when to notify. */
    static Stream<RingKind> notifying() {
        return Stream.of(SPLIT, SPLIT.withEventIndex(), PACKED, PACKED.withEventIndex());
    }

    static final RingKind SPLIT = new RingKind(false, false, false, false);
    static final RingKind PACKED = new RingKind(true, false, false, false);

    RingKind withIndirect() {
        return new RingKind(packed, eventIndex, true, inOrder);
    }

    RingKind withEventIndex() {
        return new RingKind(packed, true, indirect, inOrder);
    }

    RingKind withInOrder() {
        return new RingKind(packed, eventIndex, indirect, true);
    }

    /** Written as bit numbers of the specification, not by the names of the code under test. */
    long features() {
        return (1L << 32) | bit(packed, 34) | bit(eventIndex, 29) | bit(indirect, 28) | bit(inOrder, 35);
    }

    private static long bit(boolean set, int number) {
        return set ? 1L << number : 0;
    }

    @Override
    public String toString() {
        return (packed ? "packed" : "split")
                + (eventIndex ? "+event-index" : "")
                + (indirect ? "+indirect" : "")
                + (inOrder ? "+in-order" : "");
    }
}
