package org.exomem.fuzz;

import java.util.ArrayList;
import java.util.List;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.jspecify.annotations.Nullable;

/**
 * A chain as a device should see it. It is derived from the text of VIRTIO, not with the device's own reader.
 *
 * @param id the head's index (split) or the buffer id (packed)
 * @param descriptors as in the ring
 * @param buffers the memory that they describe, split where regions of memory meet
 */
record ExpectedChain(int id, List<RawDescriptor> descriptors, List<Buffer> buffers) {
    static final int NEXT = 1;
    static final int WRITE = 2;
    static final int INDIRECT = 4;

    /** A descriptor as in a ring or a table. */
    record RawDescriptor(long address, long length, int flags) {
        boolean has(int flag) {
            return (flags & flag) != 0;
        }
    }

    /** A contiguous range of memory. */
    record Buffer(long address, long length, boolean writable) {}

    /** Gathers the buffers of a chain by the rules that apply to all chains. */
    static final class Buffers {
        private final FuzzedMemory memory;
        private final List<Buffer> buffers = new ArrayList<>();
        private long total;
        private boolean written;
        private boolean faulty;

        Buffers(FuzzedMemory memory) {
            this.memory = memory;
        }

        void add(RawDescriptor descriptor) {
            boolean writable = descriptor.has(WRITE);
            long end = descriptor.address + descriptor.length;
            total += descriptor.length;
            faulty |= descriptor.length == 0
                    || total > 1L << 32
                    || Long.compareUnsigned(end - 1, descriptor.address) < 0
                    || (written && !writable)
                    || !memory.holds(descriptor.address, descriptor.length);
            written |= writable;
            long at = descriptor.address;
            while (!faulty && at != end) {
                FuzzedMemory.Place place = memory.placeOf(at);
                if (place == null) {
                    throw new IllegalStateException("no memory at " + at);
                }
                long part = Math.min(end, place.end()) - at;
                buffers.add(new Buffer(at, part, writable));
                at += part;
            }
        }

        void fault() {
            faulty = true;
        }

        /** Null if the driver broke a rule. */
        @Nullable
        List<Buffer> result() {
            return faulty ? null : buffers;
        }
    }

    /** The number of entries of a table of descriptors, or 0 if a device must not use it. */
    static int entries(RawDescriptor table, boolean negotiated) {
        boolean right = negotiated
                && table.length > 0
                && table.length % 16 == 0
                && table.length <= 32768L * 16
                && Long.compareUnsigned(table.address + table.length - 1, table.address) >= 0;
        return right ? (int) (table.length / 16) : 0;
    }

    /** Requires that the device sees the chain in this way. */
    void requireSame(DescriptorChain chain) {
        BrokenRule.unlessEqual(chain.buffers(), buffers.size(), "the number of a chain's buffers");
        long readable = 0;
        long writable = 0;
        int readables = 0;
        for (int i = 0; i < buffers.size(); i++) {
            Buffer buffer = buffers.get(i);
            BrokenRule.unlessEqual(chain.guestAddress(i), buffer.address, "a buffer's address");
            BrokenRule.unlessEqual(chain.length(i), buffer.length, "a buffer's length");
            BrokenRule.unless(
                    chain.offset(i) >= 0
                            && chain.offset(i) + chain.length(i)
                                    <= chain.region(i).segment().byteSize(),
                    "a buffer is not in its region");
            if (buffer.writable) {
                writable += buffer.length;
            } else {
                readable += buffer.length;
                readables++;
            }
        }
        BrokenRule.unlessEqual(chain.readableBuffers(), readables, "the number of readable buffers");
        BrokenRule.unlessEqual(chain.readableBytes(), readable, "the number of readable bytes");
        BrokenRule.unlessEqual(chain.writableBytes(), writable, "the number of writable bytes");
    }
}
