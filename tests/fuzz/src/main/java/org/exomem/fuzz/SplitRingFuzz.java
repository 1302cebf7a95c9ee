package org.exomem.fuzz;

import java.util.ArrayList;
import java.util.List;
import org.exomem.fuzz.ExpectedChain.Buffer;
import org.exomem.fuzz.ExpectedChain.Buffers;
import org.exomem.fuzz.ExpectedChain.RawDescriptor;
import org.exomem.vhostuser.virtqueue.RingFeatures;
import org.jspecify.annotations.Nullable;

/** A split ring: the input is a script for its driver and its device ({@link RingModel}). */
public final class SplitRingFuzz extends RingModel {
    private static final int AVAILABLE_IDX = 2;
    private static final int RING = 4;

    private int driverIndex;
    private int driverDescriptor;

    private int nextAvailable;
    private int knownAvailable;
    private int usedIndex;
    private int pushedSinceAsked;
    private boolean callOwed;
    private boolean started;

    private SplitRingFuzz(Input input) {
        super(input, 0);
    }

    public static void fuzzerTestOneInput(byte[] bytes) {
        new SplitRingFuzz(new Input(bytes)).run();
    }

    @Override
    int sizeOf(int bits) {
        return 1 << (bits % 5);
    }

    @Override
    void writeTail(long at, int flags, int next) {
        memory.write16(at + 12, flags);
        memory.write16(at + 14, next);
    }

    @Override
    void writeDescriptor(int index, RawDescriptor descriptor, int next) {
        long at = DESCRIPTORS + 16L * index;
        memory.write64(at, descriptor.address());
        memory.write32(at + 8, (int) descriptor.length());
        writeTail(at, descriptor.flags() | (next > 0 ? ExpectedChain.NEXT : 0), next);
    }

    @Override
    void makeAvailable(List<RawDescriptor> chain) {
        int head = driverDescriptor;
        for (int i = 0; i < chain.size(); i++) {
            int slot = driverDescriptor;
            driverDescriptor = (driverDescriptor + 1) % size;
            long at = DESCRIPTORS + 16L * slot;
            memory.write64(at, chain.get(i).address());
            memory.write32(at + 8, (int) chain.get(i).length());
            boolean last = i + 1 == chain.size() || chain.get(i).has(ExpectedChain.INDIRECT);
            writeTail(at, chain.get(i).flags() | (last ? 0 : ExpectedChain.NEXT), driverDescriptor);
            if (last) {
                break;
            }
        }
        memory.write16(DRIVER + RING + 2L * (driverIndex % size), head);
        driverIndex = driverIndex + 1 & 0xffff;
        memory.write16(DRIVER + AVAILABLE_IDX, driverIndex);
    }

    @Override
    void driverSays(Input from) {
        switch (from.u8() & 7) {
            case 0 -> {
                driverIndex = from.u16();
                memory.write16(DRIVER + AVAILABLE_IDX, driverIndex);
            }
            case 1 -> memory.write16(DRIVER, from.u8() & 1);
            case 2, 3 -> memory.write16(DRIVER + RING + 2L * size, from.u16());
            case 4 -> memory.write16(DRIVER + RING + 2L * size, usedIndex - 4 + (from.u8() & 7));
            case 5 -> {
                driverIndex = driverIndex + from.below(MOST_MORE) & 0xffff;
                memory.write16(DRIVER + AVAILABLE_IDX, driverIndex);
            }
            default -> memory.write16(DRIVER + RING + 2L * from.below(size), from.below(size + 1));
        }
    }

    private static final int MOST_MORE = 20;

    @Override
    int initialBase() {
        // Some rings have been in use for long.
        int from = (input.u8() & 3) == 0 ? input.u16() : 0;
        memory.write16(DEVICE + AVAILABLE_IDX, from);
        memory.write16(DRIVER + AVAILABLE_IDX, from);
        driverIndex = from;
        usedIndex = from;
        return from;
    }

    @Override
    boolean begin(int from) {
        int used = memory.expected16(DEVICE + AVAILABLE_IDX);
        // With in-flight memory, after the first start, that counts and not the base.
        int next = started && isTracked() ? used + unfinishedCount() & 0xffff : from;
        if ((next - used & 0xffff) > size) {
            return false;
        }
        started = true;
        usedIndex = used;
        nextAvailable = next;
        knownAvailable = next;
        pushedSinceAsked = 0;
        callOwed = used != 0;
        return true;
    }

    @Override
    Outcome next() {
        if (nextAvailable == knownAvailable) {
            int index = memory.expected16(DRIVER + AVAILABLE_IDX);
            if (index == nextAvailable) {
                return NOTHING;
            }
            if ((index - nextAvailable & 0xffff) > size) {
                return FAULT;
            }
            knownAvailable = index;
        }
        int head = memory.expected16(DRIVER + RING + 2L * (nextAvailable % size));
        return head >= size || isHeld(head) ? FAULT : chain(head);
    }

    @Override
    Outcome again(ExpectedChain chain) {
        return chain(chain.id());
    }

    /** Follows a chain by the text of VIRTIO. */
    private Outcome chain(int head) {
        Buffers buffers = new Buffers(memory);
        List<RawDescriptor> seen = new ArrayList<>();
        int index = head;
        while (true) {
            if (seen.size() == size || index >= size) {
                return FAULT;
            }
            long at = DESCRIPTORS + 16L * index;
            RawDescriptor one = descriptor(at);
            seen.add(one);
            boolean next = one.has(ExpectedChain.NEXT);
            if (one.has(ExpectedChain.INDIRECT)) {
                if (next) {
                    return FAULT;
                }
                table(one, size - seen.size() + 1, buffers);
                break;
            }
            buffers.add(one);
            if (!next) {
                break;
            }
            index = memory.expected16(at + 14);
        }
        @Nullable List<Buffer> all = buffers.result();
        return all == null ? FAULT : new Outcome.Chain(new ExpectedChain(head, seen, all));
    }

    private void table(RawDescriptor table, int room, Buffers buffers) {
        int entries = ExpectedChain.entries(table, has(RingFeatures.INDIRECT_DESC));
        int index = 0;
        for (int seen = 0; seen < room; seen++) {
            long at = table.address() + 16L * index;
            if (index >= entries || !memory.holds(at, 16)) {
                buffers.fault();
                return;
            }
            RawDescriptor one = descriptor(at);
            if (one.has(ExpectedChain.INDIRECT)) {
                buffers.fault();
                return;
            }
            buffers.add(one);
            if (!one.has(ExpectedChain.NEXT)) {
                return;
            }
            index = (int) (memory.expected64(at + 8) >>> 48);
        }
        buffers.fault();
    }

    private RawDescriptor descriptor(long at) {
        long rest = memory.expected64(at + 8);
        return new RawDescriptor(memory.expected64(at), rest & 0xffff_ffffL, (int) (rest >>> 32) & 0xffff);
    }

    @Override
    void popped(ExpectedChain chain) {
        nextAvailable = nextAvailable + 1 & 0xffff;
    }

    @Override
    void unpopped(ExpectedChain chain) {
        nextAvailable = nextAvailable - 1 & 0xffff;
    }

    @Override
    void pushed(ExpectedChain chain, long written) {
        long entry = DEVICE + RING + 8L * (usedIndex % size);
        memory.expect32(entry, chain.id());
        memory.expect32(entry + 4, (int) written);
        usedIndex = usedIndex + 1 & 0xffff;
        memory.expect16(DEVICE + AVAILABLE_IDX, usedIndex);
        pushedSinceAsked++;
    }

    @Override
    int expectedBase() {
        return nextAvailable;
    }

    @Override
    int expectedUsedPosition() {
        return usedIndex;
    }

    @Override
    boolean isSomethingAvailable() {
        return knownAvailable != nextAvailable || memory.expected16(DRIVER + AVAILABLE_IDX) != nextAvailable;
    }

    @Override
    void expectSuppressedKicks() {
        if (!has(RingFeatures.EVENT_IDX)) {
            memory.expect16(DEVICE, 1);
        }
    }

    @Override
    void expectResumedKicks() {
        if (has(RingFeatures.EVENT_IDX)) {
            memory.expect16(DEVICE + RING + 8L * size, nextAvailable);
        } else {
            memory.expect16(DEVICE, 0);
        }
    }

    @Override
    boolean expectCall() {
        int pushed = pushedSinceAsked;
        pushedSinceAsked = 0;
        if (callOwed) {
            callOwed = false;
            return true;
        }
        if (pushed == 0) {
            return false;
        }
        if (!has(RingFeatures.EVENT_IDX)) {
            return (memory.expected16(DRIVER) & 1) == 0;
        }
        // vring_need_event, from the text of VIRTIO.
        int event = memory.expected16(DRIVER + RING + 2L * size);
        return pushed > 0xffff || (usedIndex - event - 1 & 0xffff) < pushed;
    }

    @Override
    boolean ringIsUntouched() {
        return !started || memory.expected16(DEVICE + AVAILABLE_IDX) == usedIndex;
    }
}
