package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.exomem.pages.Pages;

/**
 * A region of guest memory (vhost-user, "Memory regions description"; VHU-PAY-4, VHU-PAY-5); all in bytes.
 *
 * <pre>
 *  0 guest address   u64
 *  8 size            u64
 * 16 user address    u64   the front-end's own address of the region
 * 24 mmap offset     u64   where the region starts in the file that comes along
 * </pre>
 *
 * ADD_MEM_REG and REM_MEM_REG put 8 bytes of padding before it.
 */
public record RegionDescription(long guestAddress, long size, long userAddress, long mmapOffset) {
    static final int SIZE = 32;
    static final int PADDING = 8;
    static final int SINGLE_SIZE = PADDING + SIZE;
    private static final int GUEST_ADDRESS_OFFSET = 0;
    private static final int SIZE_OFFSET = 8;
    private static final int USER_ADDRESS_OFFSET = 16;
    private static final int MMAP_OFFSET_OFFSET = 24;
    /** The end of guest addresses: 2^48, the limit of page sets and mappings. */
    private static final long ADDRESS_LIMIT = 1L << 48;

    static RegionDescription decode(MemorySegment payload, long at) {
        return new RegionDescription(
                payload.get(JAVA_LONG, at + GUEST_ADDRESS_OFFSET),
                payload.get(JAVA_LONG, at + SIZE_OFFSET),
                payload.get(JAVA_LONG, at + USER_ADDRESS_OFFSET),
                payload.get(JAVA_LONG, at + MMAP_OFFSET_OFFSET));
    }

    void encode(MemorySegment payload, long at) {
        payload.set(JAVA_LONG, at + GUEST_ADDRESS_OFFSET, guestAddress);
        payload.set(JAVA_LONG, at + SIZE_OFFSET, size);
        payload.set(JAVA_LONG, at + USER_ADDRESS_OFFSET, userAddress);
        payload.set(JAVA_LONG, at + MMAP_OFFSET_OFFSET, mmapOffset);
    }

    /** Returns this region with another user address. */
    public RegionDescription at(long address) {
        return new RegionDescription(guestAddress, size, address, mmapOffset);
    }

    /** Refuses an invalid region: empty, wrapping, above the limit, or not of whole pages. */
    public void check() {
        if (size == 0) {
            throw fault("is empty");
        }
        if (!Pages.isWhole(guestAddress | size | mmapOffset)) {
            throw fault("does not consist of whole pages of 4096 bytes");
        }
        if (wrapsAt(guestAddress, ADDRESS_LIMIT)) {
            throw fault("extends beyond guest address 2^48");
        }
        if (Long.compareUnsigned(userAddress, -size) > 0) {
            throw fault("wraps around the end of the VMM's address space");
        }
        if (wrapsAt(mmapOffset, Long.MAX_VALUE)) {
            throw fault("extends beyond the largest offset of a file");
        }
    }

    private boolean wrapsAt(long start, long limit) {
        return start < 0 || size < 0 || start > limit - size || size > limit;
    }

    private FrontEndFault fault(String what) {
        return new FrontEndFault("memory region " + this + " " + what);
    }

    @Override
    public String toString() {
        return String.format(
                "(guest address %#x, size %#x, user address %#x, mmap offset %#x)",
                guestAddress, size, userAddress, mmapOffset);
    }
}
