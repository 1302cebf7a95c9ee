package org.exomem.vhostuser.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;

/**
 * Recovers the in-flight region of a packed queue whose back-end has ended (vhost-user, "Inflight I/O tracking", "When
 * reconnecting"; layout at {@link PackedInflight}). The region is untrusted: each number is read once and checked, and each
 * entry must belong to the free list or to exactly one chain.
 */
final class PackedInflightRecovery {
    /**
     * A chain that was popped and not pushed.
     *
     * @param descriptors copies of its descriptors, in order
     */
    record Pending(int first, int last, int count, long counter, MemorySegment descriptors) {}

    private final MemorySegment region;
    private final int size;
    private final int entries;
    private final char[] next;
    private final BitSet seen = new BitSet();
    private final int freeHead;
    private final PackedPosition used;
    private final List<Pending> pending;
    private int slots;

    PackedInflightRecovery(MemorySegment region, int size, int entries, PackedRing ring) {
        this.region = region;
        this.size = size;
        this.entries = entries;
        next = new char[entries];
        for (int i = 0; i < entries; i++) {
            next[i] = (char) unsigned(PackedInflight.entry(i) + PackedInflight.NEXT);
        }
        long word = (long) LittleEndian.LONG.get(region, PackedInflight.USED);
        PackedPosition newUsed = position(word, word >>> 32);
        PackedPosition oldUsed = position(word >>> 16, word >>> 40);
        // Wrap counters count too: a chain that fills the ring returns the used index to its earlier value.
        boolean halfPushed = !newUsed.equals(oldUsed);
        boolean committed = halfPushed && !PackedRing.isAvailable(ring.flags(oldUsed.slot()), oldUsed.wrap());
        used = committed ? newUsed : oldUsed;
        freeHead = unsigned(committed ? PackedInflight.FREE_HEAD : PackedInflight.OLD_FREE_HEAD);
        settle();
        clearFreeList();
        pending = collectPending();
        if (seen.cardinality() != entries) {
            throw new IllegalArgumentException("the in-flight region has lost " + (entries - seen.cardinality())
                    + " of its " + entries + " entries: they are neither free nor in flight");
        }
    }

    private PackedPosition position(long slotBits, long wrapBits) {
        int slot = (int) slotBits & 0xffff;
        int wrap = (int) wrapBits & 0xff;
        if (slot >= size || wrap > 1) {
            throw new IllegalArgumentException("the in-flight region has used index " + slot + " and wrap counter "
                    + wrap + ", but the queue has " + size + " descriptors");
        }
        return new PackedPosition(slot, wrap == 1);
    }

    private void settle() {
        LittleEndian.setShortRelease(region, PackedInflight.OLD_FREE_HEAD, (short) freeHead);
        LittleEndian.setShortRelease(region, PackedInflight.FREE_HEAD, (short) freeHead);
        LittleEndian.LONG.setRelease(
                region,
                PackedInflight.USED,
                PackedInflight.usedWord(used.slot(), used.wrap(), used.slot(), used.wrap()));
    }

    private void clearFreeList() {
        // Any number outside of the array ends the list; this writes desc_num.
        for (int i = freeHead; i < entries; i = next[i]) {
            see(i);
            region.set(JAVA_BYTE, PackedInflight.entry(i) + PackedInflight.INFLIGHT, (byte) 0);
        }
    }

    private List<Pending> collectPending() {
        List<Pending> found = new ArrayList<>();
        for (int i = 0; i < entries; i++) {
            if (InflightRegion.isInflight(region, PackedInflight.entry(i) + PackedInflight.INFLIGHT, i)) {
                found.add(chain(i));
            }
        }
        found.sort(Comparator.comparing(Pending::counter, Long::compareUnsigned));
        return List.copyOf(found);
    }

    private Pending chain(int first) {
        long head = PackedInflight.entry(first);
        int last = unsigned(head + PackedInflight.LAST);
        int count = unsigned(head + PackedInflight.NUM);
        if (count == 0 || count > size - slots) {
            throw new IllegalArgumentException("in-flight entry " + first + " starts a chain of " + count
                    + " descriptors, but at most " + (size - slots) + " of the queue's " + size + " are left");
        }
        slots += count;
        // Native, like the ring: one kind of segment keeps the reader fast.
        MemorySegment copies =
                Arena.ofAuto().allocate(RingLayout.descriptorBytes(count), RingLayout.descriptorAlignment());
        int at = first;
        for (int i = 0; i < count; i++) {
            if (i > 0) {
                at = next[at];
            }
            see(at);
            boolean continues = copy(at, copies, i);
            if (continues != (i < count - 1)) {
                throw new IllegalArgumentException(
                        "in-flight entry " + at + " ends its chain at a place that does not match its count");
            }
        }
        if (at != last) {
            throw new IllegalArgumentException(
                    "the chain of in-flight entry " + first + " ends at " + at + ", not at " + last + " as recorded");
        }
        return new Pending(
                first, last, count, (long) LittleEndian.LONG.get(region, head + PackedInflight.COUNTER), copies);
    }

    /** Copies an entry's descriptor; returns whether it has NEXT set. */
    private boolean copy(int entry, MemorySegment copies, int index) {
        long offset = PackedInflight.entry(entry);
        long idFlagsLen = (long) LittleEndian.LONG.get(region, offset + PackedInflight.ID_FLAGS_LEN);
        int id = (int) idFlagsLen & 0xffff;
        int flags = (int) (idFlagsLen >>> 16) & 0xffff;
        long to = RingLayout.descriptorBytes(index);
        LittleEndian.LONG.set(copies, to, (long) LittleEndian.LONG.get(region, offset + PackedInflight.ADDR));
        LittleEndian.INT.set(copies, to + Descriptor.LEN_OFFSET, (int) (idFlagsLen >>> 32));
        LittleEndian.SHORT.set(copies, to + Descriptor.PACKED_ID_OFFSET, (short) id);
        LittleEndian.SHORT.set(copies, to + Descriptor.PACKED_FLAGS_OFFSET, (short) flags);
        return (flags & Descriptor.NEXT) != 0;
    }

    private void see(int entry) {
        if (entry >= entries || seen.get(entry)) {
            throw new IllegalArgumentException("the lists of the in-flight region reach entry " + entry + " of "
                    + entries + (entry >= entries ? "" : " twice"));
        }
        seen.set(entry);
    }

    private int unsigned(long offset) {
        return (short) LittleEndian.SHORT.get(region, offset) & 0xffff;
    }

    /** The chains to resubmit, in the order in which they were popped. */
    List<Pending> pending() {
        return pending;
    }

    /** The position of the next used descriptor. */
    PackedPosition used() {
        return used;
    }

    /** The slots of the chains in flight: the distance from the used position to the next available descriptor. */
    int slots() {
        return slots;
    }

    /** Continues the tracking from here. */
    PackedInflight resume() {
        long counter = pending.isEmpty() ? 0 : pending.getLast().counter() + 1;
        return new PackedInflight(region, next, freeHead, counter);
    }
}
