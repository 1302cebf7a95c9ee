package org.exomem.vhostuser.virtqueue;

/**
 * A position in a packed ring: a slot, and its lap. For starts and restarts; the queue itself counts without objects.
 *
 * @param slot 0 to the ring's size - 1
 * @param wrap the wrap counter, true for 1
 */
record PackedPosition(int slot, boolean wrap) {
    private static final int WRAP = 1 << 15;

    /** Decodes the 16 bits of a position in vhost-user's base and in event suppression. */
    static PackedPosition of(int bits, int size) {
        int slot = bits & (WRAP - 1);
        if (slot >= size) {
            throw new IllegalArgumentException(
                    "the base of a packed queue names slot " + slot + ", but the queue has only " + size);
        }
        return new PackedPosition(slot, (bits & WRAP) != 0);
    }

    static int bits(int slot, boolean wrap) {
        return slot | (wrap ? WRAP : 0);
    }

    @Override
    public String toString() {
        return slot + (wrap ? " (wrap 1)" : " (wrap 0)");
    }

    PackedPosition plus(int slots, int size) {
        int sum = slot + slots;
        return sum < size ? new PackedPosition(sum, wrap) : new PackedPosition(sum - size, !wrap);
    }

    /** The number of slots from {@code other} to this one, if at most one lap; otherwise more than {@code size}. */
    int distanceFrom(PackedPosition other, int size) {
        int distance = slot - other.slot + (wrap == other.wrap ? 0 : size);
        return distance < 0 ? Integer.MAX_VALUE : distance;
    }
}
