package org.exomem.fuzz;

import java.util.ArrayList;
import java.util.List;
import org.exomem.fuzz.ExpectedChain.Buffer;
import org.exomem.fuzz.ExpectedChain.Buffers;
import org.exomem.fuzz.ExpectedChain.RawDescriptor;
import org.exomem.vhostuser.virtqueue.RingFeatures;
import org.jspecify.annotations.Nullable;

/** A packed ring: the input is a script for its driver and its device ({@link RingModel}). */
public final class PackedRingFuzz extends RingModel {
    private static final int AVAIL = 1 << 7;
    private static final int USED = 1 << 15;

    private int driverSlot;
    private boolean driverWrap = true;
    private int driverId;

    private int availableSlot;
    private boolean availableWrap = true;
    private int usedSlot;
    private boolean usedWrap = true;
    private int taken;
    private int pushedSinceAsked;
    private boolean callOwed;
    private boolean started;

    private PackedRingFuzz(Input input) {
        super(input, RingFeatures.RING_PACKED);
    }

    public static void fuzzerTestOneInput(byte[] bytes) {
        new PackedRingFuzz(new Input(bytes)).run();
    }

    @Override
    int sizeOf(int bits) {
        return 1 + bits;
    }

    @Override
    void writeTail(long at, int flags, int next) {
        memory.write16(at + 12, next);
        memory.write16(at + 14, flags);
    }

    @Override
    void writeDescriptor(int index, RawDescriptor descriptor, int next) {
        long at = DESCRIPTORS + 16L * index;
        memory.write64(at, descriptor.address());
        memory.write32(at + 8, (int) descriptor.length());
        writeTail(at, descriptor.flags() | (next & 1) | ((next & 2) == 0 ? AVAIL : USED), next >>> 2);
    }

    @Override
    void makeAvailable(List<RawDescriptor> chain) {
        int id = driverId;
        driverId = (driverId + 1) % size;
        for (int i = 0; i < chain.size(); i++) {
            long at = DESCRIPTORS + 16L * driverSlot;
            memory.write64(at, chain.get(i).address());
            memory.write32(at + 8, (int) chain.get(i).length());
            boolean last = i + 1 == chain.size() || (i == 0 && chain.get(i).has(ExpectedChain.INDIRECT));
            writeTail(
                    at,
                    chain.get(i).flags() | (last ? 0 : ExpectedChain.NEXT) | (driverWrap ? AVAIL : USED),
                    last ? id : 0);
            driverSlot++;
            if (driverSlot == size) {
                driverSlot = 0;
                driverWrap = !driverWrap;
            }
            if (last) {
                break;
            }
        }
    }

    @Override
    void driverSays(Input from) {
        switch (from.u8() & 7) {
            case 0 -> memory.write16(DRIVER + 2, from.u16());
            case 1 -> memory.write16(DRIVER, from.u16());
            case 2 -> memory.write16(DRIVER + 2, 2);
            case 3 -> memory.write16(DRIVER, from.below(size) | (from.u8() & 1) << 15);
            case 4 -> {
                driverSlot = availableSlot;
                driverWrap = availableWrap;
            }
            case 5 -> driverId = from.below(size);
            default -> memory.write16(DESCRIPTORS + 16L * from.below(size) + 14, from.u16());
        }
    }

    @Override
    int initialBase() {
        if ((input.u8() & 3) == 0) {
            int slot = input.below(size);
            boolean wrap = (input.u8() & 1) != 0;
            availableSlot = slot;
            availableWrap = wrap;
            usedSlot = slot;
            usedWrap = wrap;
            driverSlot = slot;
            driverWrap = wrap;
        }
        return expectedBase();
    }

    @Override
    boolean begin(int from) {
        if (started && isTracked()) {
            // The in-flight memory counts, and not the base.
            int slots = unfinishedSlots();
            availableSlot = usedSlot + slots;
            availableWrap = usedWrap;
            if (availableSlot >= size) {
                availableSlot -= size;
                availableWrap = !availableWrap;
            }
            taken = slots;
        }
        started = true;
        pushedSinceAsked = 0;
        callOwed = usedSlot != 0 || !usedWrap;
        return true;
    }

    @Override
    Outcome next() {
        int slot = availableSlot;
        boolean wrap = availableWrap;
        if (!isAvailable(flags(slot), wrap)) {
            return NOTHING;
        }
        List<RawDescriptor> seen = new ArrayList<>();
        while (true) {
            if (taken + seen.size() == size) {
                return FAULT;
            }
            int flags = flags(slot);
            if (!isAvailable(flags, wrap)) {
                return FAULT;
            }
            seen.add(descriptor(DESCRIPTORS + 16L * slot));
            if ((flags & ExpectedChain.NEXT) == 0) {
                break;
            }
            slot++;
            if (slot == size) {
                slot = 0;
                wrap = !wrap;
            }
        }
        int id = memory.expected16(DESCRIPTORS + 16L * slot + 12);
        return id >= size || isHeld(id) ? FAULT : chain(id, seen);
    }

    @Override
    Outcome again(ExpectedChain chain) {
        return chain(chain.id(), chain.descriptors());
    }

    private Outcome chain(int id, List<RawDescriptor> descriptors) {
        Buffers buffers = new Buffers(memory);
        for (RawDescriptor one : descriptors) {
            if (!one.has(ExpectedChain.INDIRECT)) {
                buffers.add(one);
            } else if (descriptors.size() > 1) {
                return FAULT;
            } else {
                table(one, buffers);
            }
        }
        @Nullable List<Buffer> all = buffers.result();
        return all == null ? FAULT : new Outcome.Chain(new ExpectedChain(id, descriptors, all));
    }

    private void table(RawDescriptor table, Buffers buffers) {
        int entries = ExpectedChain.entries(table, has(RingFeatures.INDIRECT_DESC));
        if (entries == 0 || entries > size) {
            buffers.fault();
            return;
        }
        for (int i = 0; i < entries; i++) {
            long at = table.address() + 16L * i;
            if (!memory.holds(at, 16)) {
                buffers.fault();
                return;
            }
            buffers.add(descriptor(at));
        }
    }

    private RawDescriptor descriptor(long at) {
        long rest = memory.expected64(at + 8);
        return new RawDescriptor(memory.expected64(at), rest & 0xffff_ffffL, (int) (rest >>> 48));
    }

    private int flags(int slot) {
        return memory.expected16(DESCRIPTORS + 16L * slot + 14);
    }

    private static boolean isAvailable(int flags, boolean wrap) {
        return ((flags & AVAIL) != 0) == wrap && ((flags & USED) != 0) != wrap;
    }

    @Override
    void popped(ExpectedChain chain) {
        int slots = chain.descriptors().size();
        taken += slots;
        availableSlot += slots;
        if (availableSlot >= size) {
            availableSlot -= size;
            availableWrap = !availableWrap;
        }
    }

    @Override
    void unpopped(ExpectedChain chain) {
        int slots = chain.descriptors().size();
        taken -= slots;
        availableSlot -= slots;
        if (availableSlot < 0) {
            availableSlot += size;
            availableWrap = !availableWrap;
        }
    }

    @Override
    void pushed(ExpectedChain chain, long written) {
        long at = DESCRIPTORS + 16L * usedSlot;
        memory.expect32(at + 8, (int) written);
        memory.expect16(at + 12, chain.id());
        memory.expect16(at + 14, (usedWrap ? AVAIL | USED : 0) | (written > 0 ? ExpectedChain.WRITE : 0));
        int slots = chain.descriptors().size();
        usedSlot += slots;
        if (usedSlot >= size) {
            usedSlot -= size;
            usedWrap = !usedWrap;
        }
        taken -= slots;
        pushedSinceAsked += slots;
    }

    @Override
    int expectedBase() {
        return position(availableSlot, availableWrap) | position(usedSlot, usedWrap) << 16;
    }

    private static int position(int slot, boolean wrap) {
        return slot | (wrap ? 1 << 15 : 0);
    }

    @Override
    int expectedUsedPosition() {
        return position(usedSlot, usedWrap);
    }

    @Override
    boolean isSomethingAvailable() {
        return isAvailable(flags(availableSlot), availableWrap);
    }

    @Override
    void expectSuppressedKicks() {
        memory.expect16(DEVICE + 2, 1);
    }

    @Override
    void expectResumedKicks() {
        if (has(RingFeatures.EVENT_IDX)) {
            memory.expect16(DEVICE, position(availableSlot, availableWrap));
            memory.expect16(DEVICE + 2, 2);
        } else {
            memory.expect16(DEVICE + 2, 0);
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
        int flags = memory.expected16(DRIVER + 2) & 3;
        if (flags != 2 || !has(RingFeatures.EVENT_IDX)) {
            return flags != 1;
        }
        if (pushed >= size) {
            return true;
        }
        // The decision of Linux's virtqueue_kick_prepare_packed, with the roles exchanged.
        int position = memory.expected16(DRIVER);
        int event = position & 0x7fff;
        if ((position >>> 15 != 0) != usedWrap) {
            event -= size;
        }
        return (usedSlot - event - 1 & 0xffff) < pushed;
    }

    @Override
    boolean ringIsUntouched() {
        return true;
    }
}
