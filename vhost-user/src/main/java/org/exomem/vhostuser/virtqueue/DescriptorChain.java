package org.exomem.vhostuser.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.memory.PagesLate;
import org.jspecify.annotations.Nullable;

/**
 * The buffers of one available chain: first those that the device reads, then those that it writes (VIRTIO, "Message
 * Framing"). A descriptor whose range crosses from one region of guest memory to the next is several buffers here. Made once
 * and filled again by each {@link Virtqueue#pop}; not usable after {@link Virtqueue#push}. A device that keeps a chain keeps
 * the object. Only device-writable buffers can be written through it (VQ-SPL-4).
 */
public final class DescriptorChain {
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** "Drivers MUST NOT add a descriptor chain longer than 2^32 bytes in total" (VIRTIO, "The Virtqueue Descriptor Table"). */
    private static final long MAX_BYTES = 1L << 32;

    /**
     * The number of descriptors in the largest ring, each in two regions. No driver needs more, and more would take memory.
     */
    private static final int MAX_BUFFERS = 2 * RingLayout.MAX_SIZE;

    private static final int START = 8;
    /** A chain that needed more room frees it, so that a driver can't make a device keep much memory. */
    private static final int KEPT = 1024;

    private MemoryRegion[] regions = new MemoryRegion[START];
    private long[] offsets = new long[START];
    private long[] lengths = new long[START];
    private int readableBuffers;
    private int buffers;
    private long readableBytes;
    private long writableBytes;
    private int unsharedBuffers;
    private long unsharedBytes;
    private final boolean leavesUnsharedOut;

    /** The queue that popped the chain, until it is pushed. */
    private @Nullable Virtqueue owner;
    /** The queue's identification of the chain: the head's index (split) or the buffer id (packed). */
    private int id;
    /** The ring slots that the chain occupies (packed). */
    int slots;
    /** The chain's first and last entry in in-flight memory (packed). */
    int inflightFirst;

    int inflightLast;
    /** True if an earlier back-end had popped the chain, and in-flight memory returned it. */
    boolean resubmitted;

    /** For chains whose buffers must all be in guest memory: any other buffer is a fault of the driver. */
    public DescriptorChain() {
        this(false);
    }

    private DescriptorChain(boolean leavesUnsharedOut) {
        this.leavesUnsharedOut = leavesUnsharedOut;
    }

    /**
     * For chains whose device-writable buffers are only named and not written (free pages): a descriptor that the front-end
     * does not share completely is left out and {@linkplain #unsharedBytes counted}. Memory that was plugged into a guest
     * may not be shared with every device. Such a chain must not be written.
     */
    public static DescriptorChain leavingUnsharedOut() {
        return new DescriptorChain(true);
    }

    void begin(Virtqueue queue) {
        if (owner == queue) {
            throw new IllegalStateException("buffer " + id + " of queue " + queue.index()
                    + " was popped but not pushed; pop into another chain");
        }
        owner = null;
        // Drops references to regions, so that a chain that is kept over a change of memory does not keep them from
        // being collected.
        Arrays.fill(regions, 0, buffers, null);
        empty();
    }

    private void empty() {
        readableBuffers = 0;
        buffers = 0;
        readableBytes = 0;
        writableBytes = 0;
        unsharedBuffers = 0;
        unsharedBytes = 0;
    }

    void taken(Virtqueue queue, int bufferId) {
        owner = queue;
        id = bufferId;
    }

    int idFor(Virtqueue queue) {
        if (owner != queue) {
            throw new IllegalStateException("queue " + queue.index()
                    + " can't take back a chain that it did not pop, or that was pushed before");
        }
        return id;
    }

    void givenBack() {
        owner = null;
        if (lengths.length > KEPT) {
            regions = new MemoryRegion[START];
            offsets = new long[START];
            lengths = new long[START];
            empty();
        }
    }

    /** Adds a descriptor's range, checked against guest memory. */
    void add(GuestMemory memory, long guestAddress, long length, boolean writable) {
        if (length == 0) {
            throw new DriverFault("a descriptor (address 0x" + Long.toHexString(guestAddress) + ") has length 0");
        }
        if (length > MAX_BYTES - readableBytes - writableBytes) {
            throw new DriverFault("a chain has more than 2^32 bytes");
        }
        if (Long.compareUnsigned(guestAddress + length - 1, guestAddress) < 0) {
            throw new DriverFault("a descriptor's range (address 0x" + Long.toHexString(guestAddress) + ", length "
                    + length + ") wraps around the end of the address space");
        }
        if (!writable && writableBytes > 0) {
            // VQ-SPL-2
            throw new DriverFault("a device-readable descriptor follows a device-writable one");
        }
        int before = buffers;
        long address = guestAddress;
        long rest = length;
        while (rest > 0) {
            MemoryRegion region = memory.find(address);
            if (region == null) {
                if (writable && leavesUnsharedOut) {
                    leaveOut(before, length);
                    return;
                }
                throw new DriverFault("a descriptor's range (address 0x" + Long.toHexString(guestAddress) + ", length "
                        + length + ") is not in guest memory at 0x" + Long.toHexString(address));
            }
            long offset = address - region.guestAddress();
            long part = Math.min(rest, region.size() - offset);
            if (!writable || !leavesUnsharedOut) {
                // VHU-PST-2. Pages that are only named need not be present.
                region.requireHere(offset, part);
            }
            append(region, offset, part);
            address += part;
            rest -= part;
        }
        if (writable) {
            writableBytes += length;
        } else {
            readableBytes += length;
            readableBuffers = buffers;
        }
    }

    private void leaveOut(int before, long length) {
        Arrays.fill(regions, before, buffers, null);
        buffers = before;
        writableBytes += length;
        unsharedBuffers++;
        unsharedBytes += length;
    }

    private void append(MemoryRegion region, long offset, long length) {
        if (buffers == MAX_BUFFERS) {
            throw new DriverFault("a chain has more than " + MAX_BUFFERS + " separate pieces of guest memory");
        }
        if (buffers == lengths.length) {
            regions = Arrays.copyOf(regions, buffers * 2);
            offsets = Arrays.copyOf(offsets, buffers * 2);
            lengths = Arrays.copyOf(lengths, buffers * 2);
        }
        regions[buffers] = region;
        offsets[buffers] = offset;
        lengths[buffers] = length;
        buffers++;
    }

    /** The number of buffers; the first {@link #readableBuffers} are for reading, the others for writing. */
    public int buffers() {
        return buffers;
    }

    /** The number of device-readable buffers, which come first. */
    public int readableBuffers() {
        return readableBuffers;
    }

    /** The bytes of all device-readable buffers together. */
    public long readableBytes() {
        return readableBytes;
    }

    /** The bytes of all device-writable buffers together, including those that are left out. */
    public long writableBytes() {
        return writableBytes;
    }

    /** The number of device-writable buffers that are left out because the front-end does not share them completely. */
    public int unsharedBuffers() {
        return unsharedBuffers;
    }

    /** The bytes of the buffers that are left out. */
    public long unsharedBytes() {
        return unsharedBytes;
    }

    /**
     * Resolves the buffers from {@code first} on in guest memory that has changed since the chain was popped.
     *
     * @throws PagesLate if one that the device may touch is not present any more
     * @return false if one of them is not in one region any more; then no buffer of the chain may be touched
     */
    public boolean relocate(int first, GuestMemory memory) {
        for (int i = first; i < buffers; i++) {
            long address = guestAddress(i);
            MemoryRegion region = memory.find(address);
            long offset = region == null ? 0 : address - region.guestAddress();
            if (region == null || lengths[i] > region.size() - offset) {
                return false;
            }
            if (i < readableBuffers || !leavesUnsharedOut) {
                region.requireHere(offset, lengths[i]);
            }
            regions[i] = region;
            offsets[i] = offset;
        }
        return true;
    }

    /** The region that has the whole buffer {@code i}. */
    public MemoryRegion region(int i) {
        return regions[i];
    }

    /** The offset of buffer {@code i} in its region, in bytes. */
    public long offset(int i) {
        return offsets[i];
    }

    /** The length of buffer {@code i} in bytes, at least 1. */
    public long length(int i) {
        return lengths[i];
    }

    /** The guest-physical address of buffer {@code i}. */
    public long guestAddress(int i) {
        return regions[i].guestAddress() + offsets[i];
    }

    /**
     * The little-endian 32-bit number at a position of the readable bytes, even across buffers.
     *
     * @param position 0 to {@link #readableBytes} - 4
     */
    public int readInt(long position) {
        long at = position;
        for (int i = 0; i < readableBuffers; i++) {
            if (at + 4 <= lengths[i]) {
                return regions[i].segment().get(LE_INT, offsets[i] + at);
            }
            if (at < lengths[i]) {
                break;
            }
            at -= lengths[i];
        }
        int value = 0;
        for (int b = 0; b < 4; b++) {
            value |= (readByte(position + b) & 0xff) << (8 * b);
        }
        return value;
    }

    /** The byte at a position of the readable bytes, 0 to {@link #readableBytes} - 1. */
    public byte readByte(long position) {
        long at = position;
        for (int i = 0; i < readableBuffers; i++) {
            if (at < lengths[i]) {
                return regions[i].segment().get(JAVA_BYTE, offsets[i] + at);
            }
            at -= lengths[i];
        }
        throw new IndexOutOfBoundsException("position " + position + " of " + readableBytes + " readable bytes");
    }

    /**
     * Copies readable bytes from {@code position} on until {@code target} is full or they end.
     *
     * @param position in bytes, at least 0; from {@link #readableBytes} on there is nothing to copy
     * @return the number of copied bytes
     */
    public long read(long position, MemorySegment target) {
        long skip = position;
        long done = 0;
        for (int i = 0; i < readableBuffers && done < target.byteSize(); i++) {
            long part = Math.min(lengths[i] - skip, target.byteSize() - done);
            if (part > 0) {
                MemorySegment.copy(regions[i].segment(), offsets[i] + skip, target, done, part);
                done += part;
            }
            skip = Math.max(0, skip - lengths[i]);
        }
        return done;
    }

    /**
     * Writes {@code source} to the writable bytes from {@code position} on, as far as they reach, and marks the pages in the
     * dirty log of {@code memory}, if there is one (VHU-LOG-3).
     *
     * @param position in bytes, at least 0
     * @return the number of written bytes
     */
    public long write(long position, MemorySegment source, GuestMemory memory) {
        long skip = position;
        long done = 0;
        for (int i = readableBuffers; i < buffers && done < source.byteSize(); i++) {
            long part = Math.min(lengths[i] - skip, source.byteSize() - done);
            if (part > 0) {
                MemorySegment.copy(source, done, regions[i].segment(), offsets[i] + skip, part);
                memory.markDirty(guestAddress(i) + skip, part);
                done += part;
            }
            skip = Math.max(0, skip - lengths[i]);
        }
        return done;
    }
}
