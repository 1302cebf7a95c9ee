package org.exomem.fuzz;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.exomem.fuzz.ExpectedChain.Buffer;
import org.exomem.fuzz.ExpectedChain.RawDescriptor;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.InflightRegion;
import org.exomem.vhostuser.virtqueue.RingFeatures;
import org.exomem.vhostuser.virtqueue.RingLayout;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.exomem.vhostuser.virtqueue.VirtqueueSetup;
import org.jspecify.annotations.Nullable;

/**
 * A ring with a driver and a device that the input controls, and a model of what the device should see, written from
 * VIRTIO. After each step of the device all of guest memory is compared with its expected content.
 *
 * <p>Properties: pop returns the chain that the ring has. It fails exactly if a rule was broken, and then takes
 * nothing. No chain is returned twice. The device writes only what it should. Used entries, event suppression, calls
 * and positions are right. After a restart with in-flight memory, the chains that were not pushed come again in their
 * order.
 */
abstract class RingModel {
    /** Region of the ring and buffers. A second region follows without a gap, and a third after a gap. */
    private static final FuzzedMemory.Place FIRST = new FuzzedMemory.Place(0x10000, 0x1000);

    private static final FuzzedMemory MEMORY =
            new FuzzedMemory(FIRST, new FuzzedMemory.Place(0x11000, 0x1000), new FuzzedMemory.Place(0x13000, 0x1000));
    static final long DESCRIPTORS = 0x10000;
    static final long DRIVER = 0x10200;
    static final long DEVICE = 0x10240;
    private static final long TABLES = 0x10800;
    private static final int TABLE_BYTES = 0x80;
    /** The number of descriptors of the largest ring. */
    private static final int MOST = 16;

    /** Frequent addresses of a driver: in each region, at each border, in the ring. */
    private static final long[] ADDRESSES = {
        0x10400,
        0x10f80,
        0x11000,
        0x11ff0,
        0x12000,
        0x12ff0,
        0x13000,
        0x13ff0,
        0x14000,
        DESCRIPTORS,
        DRIVER,
        DEVICE,
        0,
        -16,
        TABLES
    };

    private static final long[] LENGTHS = {
        16, 1, 0, 4, 64, 128, 4096, 0x1001, 0x2000, 0x3000, 0xffff_ffffL, 0x8000_0000L
    };

    private static final MemorySegment INFLIGHT =
            Arena.global().allocate(InflightRegion.bytes(MOST, RingFeatures.RING_PACKED) + 1024, 64);

    /** A chain that the device has. */
    private record Held(DescriptorChain chain, ExpectedChain expected, boolean resubmitted, long number) {}

    /** The expected result of a pop. */
    sealed interface Outcome {
        record Nothing() implements Outcome {}

        record Fault() implements Outcome {}

        record Chain(ExpectedChain chain) implements Outcome {}
    }

    static final Outcome NOTHING = new Outcome.Nothing();
    static final Outcome FAULT = new Outcome.Fault();

    final FuzzedMemory memory = MEMORY;
    final Input input;
    final long features;
    final int size;
    private final @Nullable MemorySegment inflight;
    private @Nullable Virtqueue queue;
    private int base;
    private final List<Held> held = new ArrayList<>();
    /** The chains in in-flight memory, in the order of their first pop. */
    private final List<ExpectedChain> unfinished = new ArrayList<>();
    /** Those of them that come again after a restart, and how many have come. */
    private List<ExpectedChain> resubmissions = new ArrayList<>();

    private int resubmitted;
    private int allowance = Integer.MAX_VALUE;
    private long pops;
    /** The number of the last pop that was not undone. Pushes of later chains prevent the undo of earlier ones. */
    private long lastPushed = -1;

    RingModel(Input input, long layout) {
        this.input = input;
        int how = input.u8();
        features = RingFeatures.VERSION_1
                | layout
                | ((how & 1) != 0 ? RingFeatures.INDIRECT_DESC : 0)
                | ((how & 2) != 0 ? RingFeatures.EVENT_IDX : 0)
                | ((how & 4) != 0 ? RingFeatures.IN_ORDER : 0);
        size = sizeOf(how >>> 4);
        inflight = (how & 8) == 0
                ? null
                : INFLIGHT.asSlice(0, InflightRegion.bytes(size, features)).fill((byte) 0);
        memory.clear();
    }

    /** The size of the ring from 4 bits. */
    abstract int sizeOf(int bits);

    /** The size of the device's part of the ring in bytes. */
    private long deviceBytes() {
        return RingLayout.deviceBytes(size, features);
    }

    boolean has(long feature) {
        return (features & feature) != 0;
    }

    final void run() {
        base = initialBase();
        while (!input.isAtEnd()) {
            step(input.u8());
        }
    }

    private void step(int op) {
        switch (op & 0x1f) {
            case 0, 1, 2, 3, 4 -> addChain();
            case 5 -> writeDescriptor(input.below(size), descriptor(), input.below(MOST + 1));
            case 6 -> writeTable();
            case 7 -> memory.write8(0x10000 + input.u16() % 0x4000, input.u8());
            case 8 -> memory.write16(0x10000 + (input.u16() % 0x300 & ~1), input.u16());
            case 9 -> driverSays(input);
            case 10, 11, 12, 13, 14, 15, 16, 17 -> pop();
            case 18, 19, 20 -> push();
            case 21 -> unpop();
            case 22 -> notifications();
            case 23 -> allow(input.u8() >= 128 ? Integer.MAX_VALUE : input.below(8));
            case 24 -> restart();
            case 25 -> relocate();
            case 26 -> describe();
            case 27 -> needsCall();
            default -> writeIntoLast();
        }
    }

    // The driver's side.

    /** Makes descriptors available as a driver does; most are valid. */
    private void addChain() {
        int count = 1 + (input.u8() & 3);
        List<RawDescriptor> chain = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            RawDescriptor one = descriptor();
            chain.add(one);
        }
        makeAvailable(chain);
    }

    private RawDescriptor descriptor() {
        int place = input.u8();
        int how = input.u8();
        long address = (place & 0xf) == 0xf ? input.i64() : ADDRESSES[place & 0xf] + (place >>> 4) * 16L;
        long length = (how & 0xf) < LENGTHS.length ? LENGTHS[how & 0xf] : input.i32() & 0xffff_ffffL;
        // INDIRECT and WRITE. The caller sets NEXT.
        int flags = (how & 0x10) != 0 ? WRITE : 0;
        if ((how & 0x60) == 0x60) {
            flags |= ExpectedChain.INDIRECT;
            address = TABLES + (place >>> 4) % 8 * (long) TABLE_BYTES;
            length = (how & 0x80) != 0 ? length : 16L * (1 + (how & 3));
        }
        return new RawDescriptor(address, length, flags);
    }

    private static final int WRITE = ExpectedChain.WRITE;

    /** Writes an entry of a table of descriptors. */
    private void writeTable() {
        int table = input.below(8);
        int entry = input.below(TABLE_BYTES / 16);
        int next = input.u8();
        RawDescriptor one = descriptor();
        int flags = (one.flags() & WRITE) | (next & 0x80) >>> 7 | ((next & 0x60) == 0x60 ? ExpectedChain.INDIRECT : 0);
        long at = TABLES + (long) table * TABLE_BYTES + entry * 16L;
        memory.write64(at, one.address());
        memory.write32(at + 8, (int) one.length());
        writeTail(at, flags, next & 0x1f);
    }

    /** Writes the last four bytes of an entry of a table. */
    abstract void writeTail(long at, int flags, int next);

    abstract void writeDescriptor(int index, RawDescriptor descriptor, int next);

    abstract void makeAvailable(List<RawDescriptor> chain);

    /** Writes another field of the driver: its index, or when it wants a call. */
    abstract void driverSays(Input from);

    // The device's side.

    abstract int initialBase();

    /** True if a queue may start from that base. Prepares for the next pop. */
    abstract boolean begin(int from);

    abstract Outcome next();

    /** The outcome for a chain that in-flight memory has. */
    abstract Outcome again(ExpectedChain chain);

    /** A new chain was popped. */
    abstract void popped(ExpectedChain chain);

    abstract void unpopped(ExpectedChain chain);

    /** A chain was pushed: expects the device's writes. */
    abstract void pushed(ExpectedChain chain, long written);

    abstract int expectedBase();

    abstract int expectedUsedPosition();

    abstract boolean isSomethingAvailable();

    abstract void expectSuppressedKicks();

    abstract void expectResumedKicks();

    abstract boolean expectCall();

    /**
     * False if the device's positions in memory are not those that it left there: then in-flight memory does not match
     * them.
     */
    abstract boolean ringIsUntouched();

    private VirtqueueSetup setup() {
        return new VirtqueueSetup(
                1,
                size,
                features,
                memory.guest(),
                memory.area(DESCRIPTORS, RingLayout.descriptorBytes(size)),
                memory.area(DRIVER, RingLayout.driverBytes(size, features)),
                memory.area(DEVICE, deviceBytes()),
                base,
                -1,
                inflight);
    }

    private @Nullable Virtqueue running() {
        if (queue != null) {
            return queue;
        }
        held.clear();
        allowance = Integer.MAX_VALUE;
        lastPushed = -1;
        if (inflight != null && !ringIsUntouched()) {
            // In-flight memory and the ring do not match: the model can't predict what follows.
            startUnknown();
            return null;
        }
        if (inflight == null) {
            unfinished.clear();
        }
        resubmissions = new ArrayList<>(unfinished);
        resubmitted = 0;
        boolean right = begin(base);
        Virtqueue started;
        try {
            started = Virtqueue.create(setup());
        } catch (DriverFault e) {
            BrokenRule.unless(!right, "a queue that could start did not");
            requireReason(e);
            return null;
        }
        BrokenRule.unless(right, "a queue started that could not");
        memory.requireAsExpected("the start of a queue");
        queue = started;
        return started;
    }

    /** Starts a queue whose in-flight memory does not match its ring. Only faults of either side may result. */
    private void startUnknown() {
        try {
            Virtqueue unknown = Virtqueue.create(setup());
            Set<DescriptorChain> chains = new HashSet<>();
            for (int i = 0; i <= 2 * size; i++) {
                DescriptorChain chain = new DescriptorChain();
                if (!unknown.pop(chain)) {
                    break;
                }
                chains.add(chain);
                BrokenRule.unless(chains.size() <= size, "more chains were popped than the ring has descriptors");
            }
        } catch (DriverFault | IllegalArgumentException e) {
            requireReason(e);
        }
        memory.requireAsExpected("pops from an unknown ring");
        input.rest();
    }

    private static void requireReason(RuntimeException e) {
        BrokenRule.unless(e.getMessage() != null && !e.getMessage().isBlank(), "a fault has no text");
    }

    private void pop() {
        Virtqueue running = running();
        if (running == null) {
            return;
        }
        boolean isAgain = resubmitted < resubmissions.size();
        Outcome expected = allowance <= 0 ? NOTHING : isAgain ? again(resubmissions.get(resubmitted)) : next();
        DescriptorChain chain = new DescriptorChain();
        boolean popped;
        try {
            popped = running.pop(chain);
        } catch (DriverFault e) {
            requireReason(e);
            BrokenRule.unless(expected instanceof Outcome.Fault, "a right driver is said to have broken a rule");
            memory.requireAsExpected("a pop that failed");
            BrokenRule.unlessEqual(running.base(), expectedBase(), "the position after a pop that failed");
            stop(running);
            return;
        }
        memory.requireAsExpected("a pop");
        switch (expected) {
            case Outcome.Nothing _ -> BrokenRule.unless(!popped, "there was nothing to pop");
            case Outcome.Fault _ -> throw new BrokenRule("a driver's fault was not found");
            case Outcome.Chain(ExpectedChain wanted) -> {
                BrokenRule.unless(popped, "there was a chain to pop");
                wanted.requireSame(chain);
                requireNotHeld(wanted.id());
                held.add(new Held(chain, wanted, isAgain, pops++));
                if (isAgain) {
                    resubmitted++;
                } else {
                    unfinished.add(wanted);
                    popped(wanted);
                }
                allowance -= chain.buffers();
            }
        }
        BrokenRule.unlessEqual(running.base(), expectedBase(), "the position after a pop");
    }

    private void requireNotHeld(int id) {
        for (Held other : held) {
            BrokenRule.unless(other.expected.id() != id, "a chain was handed out twice");
        }
        BrokenRule.unless(held.size() < size, "the device has more chains than the ring has descriptors");
    }

    /** True if in-flight memory is shared. */
    final boolean isTracked() {
        return inflight != null;
    }

    /** The number of chains in in-flight memory. */
    final int unfinishedCount() {
        return unfinished.size();
    }

    /** The number of descriptors of these chains. */
    final int unfinishedSlots() {
        return unfinished.stream().mapToInt(chain -> chain.descriptors().size()).sum();
    }

    /** True if the device has the chain with this id. */
    final boolean isHeld(int id) {
        for (Held one : held) {
            if (one.expected.id() == id) {
                return true;
            }
        }
        return false;
    }

    private void push() {
        int which = input.u8();
        int wanted = input.u16();
        Virtqueue running = queue;
        if (running == null || held.isEmpty()) {
            return;
        }
        Held one = held.remove(has(RingFeatures.IN_ORDER) ? 0 : which % held.size());
        long written = Math.min(wanted, one.chain.writableBytes());
        running.push(one.chain, written);
        lastPushed = Math.max(lastPushed, one.number);
        finished(one.expected);
        pushed(one.expected, written);
        memory.requireAsExpected("a push");
        BrokenRule.unlessEqual(running.usedPosition(), expectedUsedPosition(), "the used position");
    }

    /** The chain is no more in in-flight memory. A chain that was popped again may have other buffers than before. */
    private void finished(ExpectedChain chain) {
        unfinished.removeIf(other -> other.id() == chain.id());
    }

    private void unpop() {
        Virtqueue running = queue;
        if (running == null || held.isEmpty() || held.getLast().number < lastPushed) {
            return;
        }
        Held one = held.removeLast();
        running.unpop(one.chain);
        if (one.resubmitted) {
            resubmitted--;
        } else {
            finished(one.expected);
            unpopped(one.expected);
        }
        memory.requireAsExpected("an unpop");
        BrokenRule.unlessEqual(running.base(), expectedBase(), "the position after an unpop");
    }

    private void notifications() {
        Virtqueue running = running();
        if (running == null) {
            return;
        }
        running.suppressKicks();
        expectSuppressedKicks();
        memory.requireAsExpected("a wish for no kicks");
        boolean more = running.resumeKicks();
        expectResumedKicks();
        memory.requireAsExpected("a wish for kicks");
        BrokenRule.unless(more == isMore(), "resumeKicks errs about what is available");
    }

    private boolean isMore() {
        return resubmitted < resubmissions.size() || isSomethingAvailable();
    }

    private void allow(int buffers) {
        Virtqueue running = running();
        if (running != null) {
            running.allow(buffers);
            allowance = buffers;
        }
    }

    private void restart() {
        if (queue != null) {
            stop(queue);
        }
        running();
    }

    private void stop(Virtqueue running) {
        base = running.base();
        queue = null;
    }

    private void relocate() {
        Virtqueue running = running();
        if (running != null) {
            VirtqueueSetup same = setup();
            running.relocate(same.descriptors(), same.driver(), same.device());
            memory.requireAsExpected("a relocation");
        }
    }

    private void describe() {
        Virtqueue running = running();
        if (running == null) {
            return;
        }
        BrokenRule.unless(!running.toString().isBlank(), "a queue has no text");
        BrokenRule.unless(running.hasAvailable() == isMore(), "hasAvailable errs");
        BrokenRule.unlessEqual(running.usedPosition(), expectedUsedPosition(), "the used position");
        BrokenRule.unlessEqual(
                running.movedSince(running.base() & 0xffff), 0, "how far the queue moved from where it is");
        running.isAtStart();
        running.showsUse();
        memory.requireAsExpected("looking at a queue");
    }

    private void needsCall() {
        Virtqueue running = running();
        if (running != null) {
            BrokenRule.unless(running.needsCall() == expectCall(), "needsCall errs");
            memory.requireAsExpected("the decision about a call");
        }
    }

    /** The device writes into the chain that it popped last; the model writes the same. */
    private void writeIntoLast() {
        byte[] bytes = input.take(1 + input.below(64));
        if (held.isEmpty()) {
            return;
        }
        Held one = held.getLast();
        int position = bytes.length == 0 ? 0 : bytes[0] & 0x3f;
        long done = one.chain.write(position, MemorySegment.ofArray(bytes), memory.guest());
        long skip = position;
        int at = 0;
        for (Buffer buffer : one.expected.buffers()) {
            if (!buffer.writable()) {
                continue;
            }
            for (long i = Math.min(skip, buffer.length()); i < buffer.length() && at < bytes.length; i++) {
                memory.expect8(buffer.address() + i, bytes[at++]);
            }
            skip = Math.max(0, skip - buffer.length());
        }
        BrokenRule.unlessEqual(done, at, "the bytes written");
        memory.requireAsExpected("a write into a chain");
    }
}
