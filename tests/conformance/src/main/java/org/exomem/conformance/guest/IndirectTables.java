package org.exomem.conformance.guest;

import java.util.List;

/**
 * Memory for indirect tables, one for each descriptor of a ring, which is used repeatedly (spec/virtqueues.md, VQ-IND).
 */
final class IndirectTables {
    static final int ENTRY_SIZE = 16;
    private static final int LEAST_ENTRIES = 16;

    private final GuestRam ram;
    private final long[] addresses;
    private final int[] capacities;

    IndirectTables(GuestRam ram, int ringSize) {
        this.ram = ram;
        this.addresses = new long[ringSize];
        this.capacities = new int[ringSize];
    }

    /** Writes the table of a split ring, whose entries are linked by their next fields. Returns its address. */
    long writeSplit(int slot, List<Buffer> chain) {
        long table = room(slot, chain.size());
        for (int i = 0; i < chain.size(); i++) {
            boolean last = i == chain.size() - 1;
            int flags = (last ? 0 : SplitDriver.NEXT) | (chain.get(i).writable() ? SplitDriver.WRITE : 0);
            write(table, i, chain.get(i));
            ram.putShort(table + (long) i * ENTRY_SIZE + 12, flags);
            ram.putShort(table + (long) i * ENTRY_SIZE + 14, last ? 0 : i + 1);
        }
        return table;
    }

    /** Writes the table of a packed ring, whose entries are consecutive. Returns its address. */
    long writePacked(int slot, List<Buffer> chain) {
        long table = room(slot, chain.size());
        for (int i = 0; i < chain.size(); i++) {
            write(table, i, chain.get(i));
            ram.putShort(table + (long) i * ENTRY_SIZE + 12, 0);
            ram.putShort(table + (long) i * ENTRY_SIZE + 14, chain.get(i).writable() ? PackedDriver.WRITE : 0);
        }
        return table;
    }

    private void write(long table, int entry, Buffer buffer) {
        ram.putLong(table + (long) entry * ENTRY_SIZE, buffer.address());
        ram.putInt(table + (long) entry * ENTRY_SIZE + 8, (int) buffer.length());
    }

    private long room(int slot, int entries) {
        if (capacities[slot] < entries) {
            capacities[slot] = Math.max(LEAST_ENTRIES, entries);
            addresses[slot] = ram.allocate((long) capacities[slot] * ENTRY_SIZE, ENTRY_SIZE);
        }
        return addresses[slot];
    }
}
