package org.exomem.fuzz;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.OptionalInt;
import org.exomem.fuzz.QueueDriver.Piece;
import org.exomem.fuzz.QueueDriver.Used;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemListener;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.DeviceStateException;
import org.exomem.vhostuser.memory.DirtyLog;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The memory device. An input is a script of a driver's requests, an operator's commands, and a front-end's actions in
 * between.
 *
 * <p>Properties: each request is answered as a model says that is written from VIRTIO and {@code spec/mem.md}.
 * plugged_size is always the size of the plugged blocks. A plugged block keeps its content, and an unplugged block has
 * none. Only a truncated request breaks the queue. A device that the state is moved to behaves the same.
 */
public final class MemFuzz implements DeviceLink, MemListener {
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long BLOCK = 1 << 20;
    private static final int BLOCKS = 512;
    private static final long ADDRESS = 1L << 32;
    private static final long SLACK = 256L << 20;
    /** Two regions of memory behind the device. Between them is a gap of some blocks that no front-end shares. */
    private static final int GAP = 300;

    private static final int GAP_BLOCKS = 10;

    private static final MemoryRegionPlan PLAN =
            new MemoryRegionPlan(ADDRESS, BLOCKS * BLOCK, BLOCK, OptionalInt.empty());
    private static final long RING = 0x10000;
    private static final long BUFFERS = RING + QueueDriver.BYTES;
    private static final int BUFFER = 64;
    private static final FuzzedMemory MEMORY = new FuzzedMemory(new FuzzedMemory.Place(RING, 0x1000));
    private static final MemoryRegion LOWER = region(0, GAP);
    private static final MemoryRegion UPPER = region(GAP + GAP_BLOCKS, BLOCKS - GAP - GAP_BLOCKS);
    private static final DirtyLog LOG = log();

    private static final int ACK = 0;
    private static final int NACK = 1;
    private static final int BUSY = 2;
    private static final int ERROR = 3;
    private static final int PLUG = 0;
    private static final int UNPLUG = 1;
    private static final int UNPLUG_ALL = 2;
    private static final int STATE = 3;
    private static final int REQUEST = 24;
    private static final int RESPONSE = 10;
    /** The largest number of buffers of a request and of its response. */
    private static final int MOST_PIECES = 4;

    /** The largest number of steps of the loop after which a device should have nothing more to do. */
    private static final int MOST_STEPS = 10_000;

    /** A request that was made available. */
    private record Request(int head, int type, long address, int blocks, List<Piece> response, boolean faulty) {}

    private final Input input;
    private final VirtioMem device;
    private final QueueDriver driver = new QueueDriver(MEMORY, 0, RING);
    private final Deque<Request> requests = new ArrayDeque<>();
    private final Deque<Runnable> later = new ArrayDeque<>();
    private @Nullable Virtqueue queue;
    private boolean again;
    private boolean connected;
    private boolean upperShared = true;
    private boolean logged;
    private int buffers;

    private final BitSet plugged = new BitSet(BLOCKS);
    /** Plugged blocks that the guest has written. */
    private final BitSet written = new BitSet(BLOCKS);

    private long requested;
    private long usable;

    private MemFuzz(Input input) {
        this.input = input;
        requested = input.below(4) * 64L * BLOCK;
        usable = usableFor(requested);
        device = new VirtioMem(KeptBlocks.ofHeap(PLAN), false, requested, this);
    }

    private static MemoryRegion region(int first, int blocks) {
        try {
            SharedFile file = SharedFile.memfd("fuzz", blocks * BLOCK);
            return MemoryRegion.map(ADDRESS + first * BLOCK, blocks * BLOCK, 0, 0, file);
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static DirtyLog log() {
        try (SharedFile file = SharedFile.memfd("log", 1 << 16)) {
            return DirtyLog.map(file, 0, 1 << 16);
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    public static void fuzzerTestOneInput(byte[] bytes) throws LinuxException {
        MemFuzz fuzz = new MemFuzz(new Input(bytes));
        try {
            fuzz.run();
        } finally {
            fuzz.end();
        }
    }

    private void run() throws LinuxException {
        MEMORY.clear();
        MEMORY.guest().add(LOWER);
        MEMORY.guest().add(UPPER);
        connect();
        start(0);
        while (!input.isAtEnd()) {
            step(input.u8());
            requireConsistent();
        }
    }

    private void end() throws LinuxException {
        MEMORY.guest().logTo(null);
        MEMORY.guest().detach(LOWER);
        MEMORY.guest().detach(UPPER);
        if (!written.isEmpty()) {
            LOWER.file().punchHole(0, LOWER.size());
            UPPER.file().punchHole(0, UPPER.size());
        }
    }

    private void step(int op) throws LinuxException {
        switch (op & 0x1f) {
            case 0, 1, 2, 3, 4, 5 -> request(op & 3);
            case 6 -> request(input.u16());
            case 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 -> process();
            case 19 -> writeIntoPlugged();
            case 20 -> {
                requested = Math.min(BLOCKS, input.u16() % (BLOCKS + 8)) * BLOCK;
                usable = Math.max(usable, usableFor(requested));
                device.request(requested);
            }
            case 21 -> wrongRequest();
            case 22 -> {
                process();
                logged = !logged;
                MEMORY.guest().logTo(logged ? LOG : null);
                device.loggingChanged();
            }
            case 23 -> shareUpper();
            case 24 -> restart(input.u8());
            case 25 -> systemReset();
            case 26 -> {
                byte[] bytes = input.take(1 + input.below(8));
                if (bytes.length > 0) {
                    device.writeConfig(input.below(49), MemorySegment.ofArray(bytes));
                }
            }
            case 27 -> move();
            case 28 -> reconnect();
            default -> device.reset();
        }
    }

    // The driver.

    private void request(int type) {
        if (driver.room() < MOST_PIECES) {
            // Its memory may be that of a request which the device has not seen yet.
            return;
        }
        long address = ADDRESS + (input.u16() & 0x3ff) * BLOCK;
        int how = input.u8();
        int blocks = how & 0x1f;
        if ((how & 0xc0) == 0xc0) {
            blocks = input.u16();
        }
        if ((how & 0xe0) == 0x20) {
            address += input.i64();
        }
        List<Piece> pieces = new ArrayList<>();
        long at = buffer();
        MEMORY.write16(at, type);
        MEMORY.write64(at + 8, address);
        MEMORY.write16(at + 16, blocks);
        int cut = (how & 0xe0) == 0x40 ? 1 + input.below(REQUEST - 1) : 0;
        if (cut > 0) {
            pieces.add(new Piece(at, cut, false));
        }
        pieces.add(new Piece(at + cut, REQUEST - cut, false));
        long answer = buffer();
        int answerCut = (how & 0xe0) == 0x60 ? 1 + input.below(RESPONSE - 1) : 0;
        List<Piece> response = new ArrayList<>();
        if (answerCut > 0) {
            response.add(new Piece(answer, answerCut, true));
        }
        response.add(new Piece(answer + answerCut, RESPONSE - answerCut, true));
        pieces.addAll(response);
        send(pieces, new Request(-1, type, address, blocks, response, false));
    }

    /** Sends a request that is too short, or has too little room for the response. */
    private void wrongRequest() {
        int readable = input.below(REQUEST + 1);
        int writable = input.below(RESPONSE + 1);
        if ((readable == REQUEST && writable == RESPONSE) || driver.room() < MOST_PIECES) {
            return;
        }
        List<Piece> pieces = new ArrayList<>();
        if (readable > 0) {
            pieces.add(new Piece(buffer(), readable, false));
        }
        if (writable > 0) {
            pieces.add(new Piece(buffer(), writable, true));
        }
        send(pieces, new Request(-1, 0, 0, 0, List.of(), true));
    }

    private void send(List<Piece> pieces, Request request) {
        int head = driver.add(pieces);
        if (head >= 0) {
            requests.add(
                    new Request(head, request.type, request.address, request.blocks, request.response, request.faulty));
        }
    }

    /** Zeroed memory for a request or a response. There is enough for more chains than fit into the ring. */
    private long buffer() {
        long at = BUFFERS + (long) (buffers++ % (2 * QueueDriver.SIZE - 16)) * BUFFER;
        for (int i = 0; i < BUFFER; i++) {
            MEMORY.write8(at + i, 0);
        }
        return at;
    }

    private void process() throws LinuxException {
        settle();
        Virtqueue running = queue;
        if (running == null) {
            return;
        }
        boolean faulty = false;
        try {
            for (int steps = 0; again || running.hasAvailable(); steps++) {
                BrokenRule.unless(steps < MOST_STEPS, "the device comes to no end");
                again = false;
                device.process(running);
                settle();
            }
        } catch (DriverFault e) {
            BrokenRule.unless(e.getMessage() != null && !e.getMessage().isBlank(), "a fault has no text");
            faulty = true;
        }
        takeAnswers(faulty);
    }

    /** Runs what the device has deferred. */
    private void settle() {
        for (int steps = 0; !later.isEmpty(); steps++) {
            BrokenRule.unless(steps < MOST_STEPS, "the device comes to no end");
            later.remove().run();
        }
    }

    private void takeAnswers(boolean faulty) throws LinuxException {
        for (Used used : driver.takeUsed()) {
            Request request = requests.remove();
            BrokenRule.unlessEqual(used.head(), request.head, "the request that was answered");
            BrokenRule.unless(!request.faulty, "a request that is cut short was answered");
            BrokenRule.unlessEqual(used.written(), RESPONSE, "the bytes of a response");
            int state = request.type == STATE ? stateOf(request) : 0;
            int answer = answer(request);
            int at = 0;
            for (Piece piece : request.response) {
                for (int i = 0; i < piece.length(); i++, at++) {
                    int value = at == 0 ? answer : at == 8 && answer == ACK ? state : 0;
                    MEMORY.expect8(piece.address() + i, value);
                }
            }
        }
        MEMORY.requireAsExpected("responses");
        if (!faulty) {
            BrokenRule.unless(requests.isEmpty(), "a request was not answered");
            return;
        }
        BrokenRule.unless(!requests.isEmpty() && requests.element().faulty, "a right request broke the queue");
        stop(false);
        requests.clear();
        driver.startAnew();
        start(0);
    }

    // The model.

    private static long usableFor(long requested) {
        return requested == 0 ? 0 : Math.min(PLAN.size(), requested + SLACK);
    }

    private boolean isInRange(Request request) {
        long offset = request.address - ADDRESS;
        return request.blocks > 0
                && offset >= 0
                && offset % BLOCK == 0
                && offset < usable
                && offset / BLOCK + request.blocks <= usable / BLOCK;
    }

    private static int first(Request request) {
        return (int) ((request.address - ADDRESS) / BLOCK);
    }

    private int count(Request request) {
        return plugged.get(first(request), first(request) + request.blocks).cardinality();
    }

    private int stateOf(Request request) {
        if (!isInRange(request)) {
            return 0;
        }
        int count = count(request);
        return count == request.blocks ? 0 : count == 0 ? 1 : 2;
    }

    private boolean isShared(Request request) {
        int end = first(request) + request.blocks;
        return end <= GAP || (first(request) >= GAP + GAP_BLOCKS && upperShared);
    }

    /** Returns the model's answer to a request, and applies the request to the model's blocks. */
    private int answer(Request request) throws LinuxException {
        return switch (request.type) {
            case PLUG -> {
                if (!isInRange(request) || count(request) > 0) {
                    yield ERROR;
                }
                if (!isShared(request)) {
                    yield BUSY;
                }
                if (plugged.cardinality() + request.blocks > requested / BLOCK) {
                    yield NACK;
                }
                if (logged) {
                    yield BUSY;
                }
                plugged.set(first(request), first(request) + request.blocks);
                yield ACK;
            }
            case UNPLUG -> {
                if (!isInRange(request) || count(request) < request.blocks) {
                    yield ERROR;
                }
                if (!isShared(request) || logged) {
                    yield BUSY;
                }
                plugged.clear(first(request), first(request) + request.blocks);
                yield ACK;
            }
            case UNPLUG_ALL -> {
                if (logged && !plugged.isEmpty()) {
                    yield BUSY;
                }
                nothingIsPlugged();
                yield ACK;
            }
            case STATE -> {
                yield isInRange(request) ? ACK : ERROR;
            }
            default -> {
                yield ERROR;
            }
        };
    }

    private void nothingIsPlugged() {
        plugged.clear();
        usable = usableFor(requested);
    }

    private void requireConsistent() {
        BrokenRule.unlessEqual(device.requestedSize(), requested, "requested_size");
        if (!requests.isEmpty()) {
            return;
        }
        BrokenRule.unlessEqual(device.pluggedSize(), plugged.cardinality() * BLOCK, "plugged_size");
        BrokenRule.unlessEqual(device.usableSize(), usable, "usable_region_size");
        int clear = plugged.nextClearBit(0);
        BrokenRule.unlessEqual(
                device.firstUnplugged().orElse(-1),
                clear >= BLOCKS ? -1 : ADDRESS + clear * BLOCK,
                "the first unplugged");
        MemorySegment config = MemorySegment.ofArray(new byte[device.configSize()]);
        device.readConfig(config);
        BrokenRule.unlessEqual(config.get(U64, 0), BLOCK, "block_size");
        BrokenRule.unlessEqual(config.get(U64, 16), ADDRESS, "addr");
        BrokenRule.unlessEqual(config.get(U64, 24), BLOCKS * BLOCK, "region_size");
        BrokenRule.unlessEqual(config.get(U64, 32), usable, "usable_region_size of the config space");
        BrokenRule.unlessEqual(config.get(U64, 40), plugged.cardinality() * BLOCK, "plugged_size of the config space");
        BrokenRule.unlessEqual(config.get(U64, 48), requested, "requested_size of the config space");
        requireContent();
    }

    private void requireContent() {
        for (int block = written.nextSetBit(0); block >= 0; block = written.nextSetBit(block + 1)) {
            boolean shared = block < GAP || upperShared;
            if (!shared) {
                continue;
            }
            byte found = segment(block).get(JAVA_BYTE, offset(block));
            if (plugged.get(block)) {
                BrokenRule.unlessEqual(found, 77, "what a plugged block holds");
            } else {
                BrokenRule.unlessEqual(found, 0, "what an unplugged block holds");
                written.clear(block);
            }
        }
    }

    private static MemorySegment segment(int block) {
        return block < GAP ? LOWER.segment() : UPPER.segment();
    }

    private static long offset(int block) {
        return (block < GAP ? block : block - GAP - GAP_BLOCKS) * BLOCK;
    }

    // The guest, the operator and the front-end.

    private void writeIntoPlugged() throws LinuxException {
        process();
        int block = plugged.nextSetBit(input.u16() % BLOCKS);
        if (block >= 0 && (block < GAP || upperShared)) {
            segment(block).set(JAVA_BYTE, offset(block), (byte) 77);
            written.set(block);
        }
    }

    private void shareUpper() throws LinuxException {
        process();
        if (upperShared) {
            MEMORY.guest().detach(UPPER);
        } else {
            MEMORY.guest().add(UPPER);
        }
        upperShared = !upperShared;
        if (connected) {
            device.memoryChanged();
        }
        settle();
    }

    private void restart(int how) throws LinuxException {
        process();
        boolean completing = (how & 1) != 0;
        int base = stop(completing);
        if ((how & 2) != 0) {
            driver.startAnew();
            base = 0;
        }
        start(base);
    }

    private void systemReset() throws LinuxException {
        process();
        BrokenRule.unless(device.systemReset() != null, "a system reset has no end");
        settle();
        if (upperShared || plugged.nextSetBit(GAP) < 0) {
            nothingIsPlugged();
            return;
        }
        nothingIsPlugged();
        // Memory that is not shared can't be emptied now.
        written.clear(GAP, BLOCKS);
    }

    private void reconnect() throws LinuxException {
        process();
        int base = stop(false);
        device.disconnected();
        connected = false;
        later.clear();
        connect();
        start(base);
    }

    private void connect() {
        device.connected(this);
        connected = true;
        device.featuresAcknowledged(2);
    }

    private void start(int base) {
        Virtqueue started = driver.device(base);
        queue = started;
        device.queueStarted(started);
        settle();
        again = false;
        device.process(started);
        settle();
    }

    private int stop(boolean completing) {
        Virtqueue running = queue;
        if (running == null) {
            return 0;
        }
        device.queueStopped(running, completing);
        queue = null;
        again = false;
        return running.base();
    }

    /** Moves the state to a newly created device. */
    private void move() throws LinuxException {
        process();
        VirtioMem other = new VirtioMem(KeptBlocks.ofHeap(PLAN), false, 0, this);
        try {
            MemorySegment state = device.state().save();
            other.state().load(state);
        } catch (DeviceStateException e) {
            throw new BrokenRule("a device's state can't be moved", e);
        }
        BrokenRule.unlessEqual(other.pluggedSize(), device.pluggedSize(), "the moved plugged_size");
        BrokenRule.unlessEqual(other.requestedSize(), device.requestedSize(), "the moved requested_size");
        BrokenRule.unlessEqual(other.usableSize(), device.usableSize(), "the moved usable_region_size");
        BrokenRule.unless(other.firstUnplugged().equals(device.firstUnplugged()), "the moved blocks differ");
    }

    @Override
    public GuestMemory memory() {
        return MEMORY.guest();
    }

    @Override
    public void configChanged() {}

    @Override
    public boolean mayPush(Virtqueue of) {
        return queue == of;
    }

    @Override
    public void callIfWanted(Virtqueue of) {}

    @Override
    public void processAgain(Virtqueue of) {
        again = true;
    }

    @Override
    public void later(Runnable task) {
        later.add(task);
    }

    @Override
    public void driverFault(String what) {}

    @Override
    public void hostFault(String what) {}

    @Override
    public void pluggedSizeChanged(long size) {
        BrokenRule.unless(size >= 0 && size <= BLOCKS * BLOCK, "an impossible plugged_size is told");
    }

    @Override
    public void refused(String reason) {
        BrokenRule.unless(!reason.isBlank(), "a refusal gives no reason");
    }
}
