package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;

/**
 * In-flight tracking of a packed queue (vhost-user, "Inflight I/O tracking", struct QueueRegionPacked). As the driver's
 * descriptors are overwritten by used ones, the region keeps a copy of each descriptor that was popped, in entries that form
 * a free list and, off it, a list for each chain.
 *
 * <pre>
 * after the common head:               each entry:
 *  12  free_head u16                    0  inflight u8, of a chain's first entry
 *  14  old_free_head u16                2  next u16, desc_num ends the free list
 *  16  used_idx u16                     4  last u16, of a chain's first entry
 *  18  old_used_idx u16                 6  num u16, of a chain's first entry
 *  20  used_wrap_counter u8             8  counter u64, the order of popping
 *  21  old_used_wrap_counter u8        16  id u16
 *  22  padding                         18  flags u16
 *  32  desc[desc_num]                  20  len u32
 *                                      24  addr u64
 * </pre>
 *
 * <p>Pop writes after {@code free_head}; it counts when {@code old_free_head} is moved up to it. Push frees the chain's
 * entries, moves {@code free_head} and the used position, hands the descriptor to the driver, and then moves the old ones
 * up. Every store is a release: the stores of a killed process remain, and release prevents the compiler from moving a store
 * before an earlier one. A batch is always one buffer.
 */
final class PackedInflight {
    static final long DESC_OFFSET = 32;
    static final long DESC_BYTES = 32;

    static final long FREE_HEAD = 12;
    static final long OLD_FREE_HEAD = 14;
    /**
     * The four numbers of the used position, stored as one word: with index and wrap counter in two stores, a crash
     * between them would leave a position a whole lap off.
     */
    static final long USED = 16;

    static final long INFLIGHT = 0;
    static final long NEXT = 2;
    static final long LAST = 4;
    static final long NUM = 6;
    static final long COUNTER = 8;
    /** id, flags and len as one word. */
    static final long ID_FLAGS_LEN = 16;

    static final long ADDR = 24;

    private final MemorySegment region;
    /** The links as this process wrote them: those of the region are not read after the start. */
    private final char[] next;

    private int freeHead;
    private int oldFreeHead;
    private int num;
    private int last;
    private long counter;

    /** For a region in which no pop and no push is half done. */
    PackedInflight(MemorySegment region, char[] next, int freeHead, long counter) {
        this.region = region;
        this.next = next;
        this.freeHead = freeHead;
        this.oldFreeHead = freeHead;
        this.counter = counter;
    }

    /** Initialises a region in which nothing is in flight. */
    static PackedInflight initialise(MemorySegment region, int size, PackedPosition used) {
        InflightRegion.clear(region, size);
        char[] next = new char[size];
        for (int i = 0; i < size; i++) {
            next[i] = (char) (i + 1);
            LittleEndian.SHORT.set(region, entry(i) + NEXT, (short) (i + 1));
        }
        LittleEndian.LONG.set(region, USED, usedWord(used.slot(), used.wrap(), used.slot(), used.wrap()));
        InflightRegion.markInitialised(region);
        return new PackedInflight(region, next, 0, 0);
    }

    /** Records a descriptor as it is read from the ring. It counts after {@link #popped}. */
    void popping(Descriptor descriptor, int flags, boolean isLast) {
        long first = entry(oldFreeHead);
        if (num == 0) {
            setShort(first + NUM, 0);
            LittleEndian.LONG.setRelease(region, first + COUNTER, counter);
            LittleEndian.setByteRelease(region, first + INFLIGHT, (byte) 1);
        }
        if (isLast) {
            last = freeHead;
            setShort(first + LAST, freeHead);
        }
        num++;
        setShort(first + NUM, num);
        long entry = entry(freeHead);
        long idFlagsLen = descriptor.packedId() | ((long) flags << 16) | (descriptor.length() << 32);
        LittleEndian.LONG.setRelease(region, entry + ADDR, descriptor.address());
        LittleEndian.LONG.setRelease(region, entry + ID_FLAGS_LEN, idFlagsLen);
        freeHead = next[freeHead];
        setShort(FREE_HEAD, freeHead);
    }

    /** The chain is complete: records its entries in {@code chain}. */
    void popped(DescriptorChain chain) {
        chain.inflightFirst = oldFreeHead;
        chain.inflightLast = last;
        counter++;
        num = 0;
        oldFreeHead = freeHead;
        setShort(OLD_FREE_HEAD, freeHead);
    }

    /** The chain is not popped after all. If the process is killed meanwhile, the chain is either in flight or free. */
    void unpopped(DescriptorChain chain) {
        next[chain.inflightLast] = (char) freeHead;
        setShort(entry(chain.inflightLast) + NEXT, freeHead);
        freeHead = chain.inflightFirst;
        oldFreeHead = freeHead;
        setShort(OLD_FREE_HEAD, freeHead);
        setShort(FREE_HEAD, freeHead);
        LittleEndian.setByteRelease(region, entry(chain.inflightFirst) + INFLIGHT, (byte) 0);
    }

    /** The chain broke a rule: it was not popped. */
    void abandon() {
        if (num > 0) {
            LittleEndian.setByteRelease(region, entry(oldFreeHead) + INFLIGHT, (byte) 0);
            num = 0;
            freeHead = oldFreeHead;
            setShort(FREE_HEAD, freeHead);
        }
    }

    /** Must be called before the used descriptor is written, with the used position before and after it. */
    void beforeUsed(DescriptorChain chain, int oldSlot, boolean oldWrap, int slot, boolean wrap) {
        next[chain.inflightLast] = (char) freeHead;
        setShort(entry(chain.inflightLast) + NEXT, freeHead);
        freeHead = chain.inflightFirst;
        setShort(FREE_HEAD, freeHead);
        LittleEndian.LONG.setRelease(region, USED, usedWord(slot, wrap, oldSlot, oldWrap));
    }

    /** Must be called after the used descriptor was written. */
    void afterUsed(DescriptorChain chain, int slot, boolean wrap) {
        LittleEndian.setByteRelease(region, entry(chain.inflightFirst) + INFLIGHT, (byte) 0);
        oldFreeHead = freeHead;
        setShort(OLD_FREE_HEAD, freeHead);
        LittleEndian.LONG.setRelease(region, USED, usedWord(slot, wrap, slot, wrap));
    }

    static long usedWord(int slot, boolean wrap, int oldSlot, boolean oldWrap) {
        return slot | ((long) oldSlot << 16) | (wrap ? 1L << 32 : 0) | (oldWrap ? 1L << 40 : 0);
    }

    static long entry(int index) {
        return DESC_OFFSET + DESC_BYTES * index;
    }

    private void setShort(long offset, int value) {
        LittleEndian.setShortRelease(region, offset, (short) value);
    }
}
