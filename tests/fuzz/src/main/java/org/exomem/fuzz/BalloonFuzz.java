package org.exomem.fuzz;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.BitmapState;
import org.exomem.balloon.FreePageRequests;
import org.exomem.balloon.KeptBalloon;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.fuzz.QueueDriver.Piece;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.DeviceStateException;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The balloon. An input is a script for a driver that puts anything into any of the six queues, for an operator, and
 * for a front-end.
 *
 * <p>Properties: the device throws only faults of the driver, and a fault disables only its queue. Every chain is
 * returned once. A page of the guest is unchanged unless the driver put it into the balloon or reported it, and then it
 * is zeros. The pages in the balloon are those of a model of the two queues. The free bytes of a request are no more
 * than memory has, and page descriptors are well-formed.
 */
public final class BalloonFuzz implements DeviceLink {
    private static final int QUEUES = 6;
    private static final int INFLATE = 0;
    private static final int DEFLATE = 1;
    private static final int STATISTICS = 2;
    private static final int FREE_PAGES = 3;
    private static final int REPORTING = 4;
    private static final int BITMAP = 5;
    private static final long RINGS = 0x10000;
    private static final int RINGS_BYTES = (int) (QUEUES * QueueDriver.BYTES);
    /** Memory for buffers follows the rings. */
    private static final long BUFFERS = RINGS + RINGS_BYTES;

    private static final int BUFFERS_BYTES = 0x6800;
    private static final FuzzedMemory MEMORY =
            new FuzzedMemory(new FuzzedMemory.Place(RINGS, RINGS_BYTES + BUFFERS_BYTES));
    /** Pages that may be put into the balloon: two regions with a gap between them. */
    private static final long START = 1L << 30;

    private static final int LOWER_PAGES = 40;
    private static final int GAP_PAGES = 8;
    private static final int UPPER_PAGES = 24;
    private static final int PAGES = LOWER_PAGES + GAP_PAGES + UPPER_PAGES;
    private static final long FIRST_PAGE = START >> 12;
    private static final MemoryRegion LOWER = region(0, LOWER_PAGES);
    private static final MemoryRegion UPPER = region(LOWER_PAGES + GAP_PAGES, UPPER_PAGES);
    private static final byte MARK = 0x5a;
    private static final EventLoop LOOP = new EventLoop("fuzz");
    private static final int MOST_STEPS = 10_000;

    private final Input input;
    private final VirtioBalloon device;
    private final QueueDriver[] drivers = new QueueDriver[QUEUES];
    private final @Nullable Virtqueue[] queues = new Virtqueue[QUEUES];
    private final Deque<Runnable> later = new ArrayDeque<>();
    private final long features;
    private int again;
    private boolean upperShared = true;
    private int buffersUsed;
    /** Pages whose content may be gone, by their position after START; and pages in the balloon, by the model. */
    private final BitSet mayBeGone = new BitSet(PAGES);

    private final BitSet inBalloon = new BitSet(PAGES);
    /** False after an event that leaves the model without knowledge of the balloon's pages. */
    private boolean modelled = true;

    private BalloonFuzz(Input input) {
        this.input = input;
        int how = input.u8();
        BalloonOptions options = new BalloonOptions(
                (how & 1) == 0, true, true, true, (how & 2) == 0, true, FreePageRequests.BITMAP, (how & 4) == 0);
        device = new VirtioBalloon(options, KeptBalloon.ofHeap(), new Listeners(), new PageFeed(), LOOP);
        // Features that do not change the numbers of queues.
        features = device.features() & ~((how & 8) != 0 ? 1L << (2 * ((how >>> 4) % 3)) : 0);
        for (int i = 0; i < QUEUES; i++) {
            drivers[i] = new QueueDriver(MEMORY, i, RINGS + i * QueueDriver.BYTES);
        }
    }

    private static MemoryRegion region(int first, int pages) {
        try {
            SharedFile file = SharedFile.memfd("fuzz", pages * 4096L);
            MemoryRegion region = MemoryRegion.map(START + first * 4096L, pages * 4096L, 0, 0, file);
            mark(region);
            return region;
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Writes a byte at the front of each page and one at its end. */
    private static void mark(MemoryRegion region) {
        for (long at = 0; at < region.size(); at += 4096) {
            region.segment().set(JAVA_BYTE, at, MARK);
            region.segment().set(JAVA_BYTE, at + 4095, MARK);
        }
    }

    public static void fuzzerTestOneInput(byte[] bytes) {
        BalloonFuzz fuzz = new BalloonFuzz(new Input(bytes));
        try {
            fuzz.run();
        } finally {
            fuzz.end();
        }
    }

    /** Puts some pages into a balloon. */
    static void inflateSome(VirtioBalloon balloon) {
        BalloonFuzz fuzz = new BalloonFuzz(new Input(new byte[0]), balloon);
        fuzz.begin();
        long at = fuzz.buffer(new byte[] {1, 0, 4, 0, 2, 0, 4, 0, 9, 0, 4, 0});
        fuzz.drivers[INFLATE].add(List.of(new Piece(at, 12, false)));
        fuzz.mayBeGone.set(0, PAGES);
        fuzz.process(INFLATE);
        for (int i = 0; i < QUEUES; i++) {
            fuzz.stop(i, true);
        }
        fuzz.end();
    }

    private BalloonFuzz(Input input, VirtioBalloon balloon) {
        this.input = input;
        device = balloon;
        features = balloon.features();
        for (int i = 0; i < QUEUES; i++) {
            drivers[i] = new QueueDriver(MEMORY, i, RINGS + i * QueueDriver.BYTES);
        }
    }

    private void begin() {
        MEMORY.clear();
        MEMORY.guest().add(LOWER);
        MEMORY.guest().add(UPPER);
        device.connected(this);
        device.featuresAcknowledged(features);
        for (int i = 0; i < QUEUES; i++) {
            start(i, 0);
        }
    }

    private void run() {
        begin();
        while (!input.isAtEnd()) {
            step(input.u8());
            requireConsistent();
        }
        for (int i = 0; i < QUEUES; i++) {
            process(i);
        }
        requireConsistent();
        for (int i = 0; i < QUEUES; i++) {
            if (queues[i] != null) {
                stop(i, true);
            }
        }
        requireConsistent();
    }

    private void end() {
        for (int i = 0; i < QUEUES; i++) {
            if (queues[i] != null) {
                stop(i, false);
            }
        }
        device.disconnected();
        MEMORY.guest().detach(LOWER);
        MEMORY.guest().detach(UPPER);
        if (!mayBeGone.isEmpty()) {
            mark(LOWER);
            mark(UPPER);
        }
    }

    private void step(int op) {
        switch (op & 0x1f) {
            case 0, 1, 2 -> addPfns(INFLATE);
            case 3, 4 -> addPfns(DEFLATE);
            case 5 -> statistics();
            case 6 -> hint();
            case 7, 8 -> report(REPORTING);
            case 9, 10 -> chunk();
            case 11 -> descriptors();
            case 12 -> requestBuffer();
            case 13 -> anything();
            case 14, 15, 16, 17, 18, 19, 20 -> process(op % QUEUES);
            case 21 -> operator();
            case 22 -> config();
            case 23 -> restart(input.below(QUEUES), input.u8());
            case 24 -> reboot();
            case 25 -> shareUpper();
            case 26 -> move();
            case 27 -> reconnect();
            default -> processAll();
        }
    }

    // The driver.

    /** Copies bytes into memory for buffers, which is used cyclically. */
    private long buffer(byte[] bytes) {
        int room = (bytes.length + 15) & -16;
        if (buffersUsed + room > BUFFERS_BYTES) {
            // The content of pending chains in that memory changes under the device, as any driver can cause.
            buffersUsed = 0;
        }
        long at = BUFFERS + buffersUsed;
        buffersUsed += room;
        MEMORY.write(at, bytes);
        return at;
    }

    private long pageAddress() {
        return START + input.below(PAGES) * 4096L;
    }

    private void addPfns(int queue) {
        // The device must not hold chains whose memory changes, or the model would not know what the device reads.
        processAll();
        int how = input.u8();
        int count = how & 0xf;
        byte[] pfns = new byte[4 * count + ((how & 0x70) == 0x70 ? how & 3 : 0)];
        long[] pages = new long[count];
        for (int i = 0; i < count; i++) {
            int one = input.u8();
            pages[i] = one == 255 ? besideRings(input.i32() & 0xffff_ffffL) : FIRST_PAGE + one % PAGES;
            for (int b = 0; b < 4; b++) {
                pfns[4 * i + b] = (byte) (pages[i] >>> (8 * b));
            }
        }
        List<Piece> pieces = new ArrayList<>();
        if (pfns.length > 0) {
            long at = buffer(pfns);
            int cut = (how & 0x80) != 0 ? 1 + input.below(pfns.length) : pfns.length;
            pieces.add(new Piece(at, Math.min(cut, pfns.length), false));
            if (cut < pfns.length) {
                pieces.add(new Piece(at + cut, pfns.length - cut, false));
            }
        }
        if ((how & 0x70) == 0x60) {
            pieces.add(new Piece(buffer(new byte[16]), 16, true));
        }
        if (queues[queue] == null || drivers[queue].add(pieces) < 0) {
            return;
        }
        for (long page : pages) {
            note(queue, page - FIRST_PAGE);
        }
        process(queue);
    }

    /** Any page except those of the rings: if a driver gave those away, its rings and the model would be lost. */
    private static long besideRings(long page) {
        return page >= RINGS >> 12 && page < FIRST_PAGE ? page + FIRST_PAGE + PAGES : page;
    }

    private void note(int queue, long place) {
        if (place < 0 || place >= PAGES) {
            return;
        }
        int page = (int) place;
        boolean known = page < LOWER_PAGES || (page >= LOWER_PAGES + GAP_PAGES && upperShared);
        if (queue == INFLATE && known) {
            inBalloon.set(page);
            mayBeGone.set(page);
        } else if (queue == DEFLATE) {
            inBalloon.clear(page);
        }
    }

    private void statistics() {
        byte[] bytes = input.take(input.u8() & 0x7f);
        if (bytes.length > 0) {
            add(STATISTICS, new Piece(buffer(bytes), bytes.length, false));
        }
    }

    private void hint() {
        int how = input.u8();
        if ((how & 1) == 0) {
            byte[] id = new byte[(how & 2) == 0 ? 4 : 1 + (how >>> 4)];
            id[0] = (byte) input.u8();
            add(FREE_PAGES, new Piece(buffer(id), id.length, false));
        } else {
            add(FREE_PAGES, range(how));
        }
    }

    private void report(int queue) {
        List<Piece> pieces = new ArrayList<>();
        for (int i = input.u8() & 3; i >= 0; i--) {
            pieces.add(range(input.u8()));
        }
        if (queues[queue] != null && drivers[queue].add(pieces) >= 0) {
            pieces.forEach(this::noteGone);
            process(queue);
        }
    }

    private Piece range(int how) {
        long at = pageAddress();
        int length = (1 + input.below(16)) * 4096;
        if ((how & 0x60) == 0x60) {
            at += input.below(16) * 256L;
            length -= input.below(16) * 16;
        }
        return new Piece(at, length, true);
    }

    private void noteGone(Piece piece) {
        long first = (piece.address() - START) / 4096;
        long last = (piece.address() - START + piece.length() - 1) / 4096;
        for (long page = Math.max(0, first); page <= Math.min(PAGES - 1, last); page++) {
            mayBeGone.set((int) page);
        }
    }

    /** Sends a chunk of a bitmap; most of its fields are right. */
    private void chunk() {
        int how = input.u8();
        byte[] bytes = new byte[32 + (input.u8() & 0x3f)];
        int id = (how & 1) != 0 ? input.i32() : device.freePageBitmap().id();
        put(bytes, 0, id, 4);
        put(bytes, 4, (how & 0xc) == 0xc ? input.u16() : 0, 2);
        put(bytes, 6, input.u8() & 3, 2);
        put(bytes, 8, (how & 2) != 0 ? input.i64() : pageAddress(), 8);
        put(bytes, 16, (how & 0x10) != 0 ? input.i64() : (bytes.length - 32) * 8L - (input.u8() & 7), 8);
        bytes[24] = (byte) ((how & 0x20) != 0 ? input.u8() : 12 + (input.u8() & 3));
        byte[] bitmap = input.take(bytes.length - 32);
        System.arraycopy(bitmap, 0, bytes, 32, bitmap.length);
        message(bytes, how);
    }

    private void descriptors() {
        int how = input.u8();
        int guards = input.u8() & 7;
        int ranges = input.u8() & 3;
        byte[] bytes = new byte[32 + 16 * guards + 32 * ranges];
        put(bytes, 4, 1, 2);
        bytes[8] = (byte) (12 + (input.u8() & 0x1f));
        bytes[9] = (byte) (input.u8() & 0x1f);
        put(bytes, 10, 64 + (byte) input.u8(), 2);
        put(bytes, 12, input.u8(), 2);
        put(bytes, 14, input.u8(), 2);
        put(bytes, 16, input.i32(), 4);
        put(bytes, 20, input.i32(), 4);
        put(bytes, 24, guards, 2);
        put(bytes, 28, ranges, 4);
        for (int at = 32; at < 32 + 16 * guards; at += 16) {
            put(bytes, at, input.i64(), 8);
            put(bytes, at + 8, input.i64(), 8);
        }
        for (int at = 32 + 16 * guards; at < bytes.length; at += 32) {
            put(bytes, at, (how & 1) != 0 ? input.i64() : pageAddress(), 8);
            put(bytes, at + 8, (how & 2) != 0 ? input.i64() : input.u16(), 8);
            put(bytes, at + 16, (how & 4) != 0 ? input.i64() : START, 8);
            put(bytes, at + 24, input.u8(), 4);
        }
        if ((how & 8) != 0) {
            put(bytes, input.u8() % bytes.length & -2, input.u16(), 2);
        }
        message(bytes, how);
    }

    private static void put(byte[] bytes, int at, long value, int length) {
        for (int i = 0; i < length && at + i < bytes.length; i++) {
            bytes[at + i] = (byte) (value >>> (8 * i));
        }
    }

    private void message(byte[] bytes, int how) {
        long at = buffer(bytes);
        List<Piece> pieces = new ArrayList<>();
        int cut = (how & 0x40) != 0 ? 1 + input.below(bytes.length - 1) : 0;
        if (cut > 0) {
            pieces.add(new Piece(at, cut, false));
        }
        pieces.add(new Piece(at + cut, bytes.length - cut, false));
        if ((how & 0x80) != 0) {
            pieces.add(new Piece(buffer(new byte[4]), 4, true));
        }
        add(BITMAP, pieces);
    }

    private void requestBuffer() {
        int room = 1 + input.below(120);
        add(BITMAP, new Piece(buffer(new byte[room]), room, true));
    }

    /** Sends a chain that does not belong into its queue. */
    private void anything() {
        int queue = input.below(QUEUES);
        List<Piece> pieces = new ArrayList<>();
        byte[] bytes = input.take(input.u8() & 0x3f);
        for (int i = 0; queue == INFLATE && i + 3 < bytes.length; i += 4) {
            long page = (bytes[i] & 0xffL)
                    | (bytes[i + 1] & 0xffL) << 8
                    | (bytes[i + 2] & 0xffL) << 16
                    | (bytes[i + 3] & 0xffL) << 24;
            put(bytes, i, besideRings(page), 4);
        }
        if (bytes.length > 0) {
            pieces.add(new Piece(buffer(bytes), bytes.length, false));
        }
        if ((input.u8() & 1) != 0 || pieces.isEmpty()) {
            Piece range = range(input.u8());
            pieces.add(range);
            noteGone(range);
        }
        modelled &= queue > DEFLATE;
        if (queue <= DEFLATE || queue == REPORTING) {
            mayBeGone.set(0, PAGES);
        }
        add(queue, pieces);
    }

    private void add(int queue, Piece piece) {
        add(queue, List.of(piece));
    }

    private void add(int queue, List<Piece> pieces) {
        if (queues[queue] != null) {
            drivers[queue].add(pieces);
        }
    }

    private void processAll() {
        for (int i = 0; i < QUEUES; i++) {
            process(i);
        }
    }

    private void process(int index) {
        settle();
        Virtqueue queue = queues[index];
        if (queue == null) {
            return;
        }
        try {
            for (int steps = 0; (again & 1 << index) != 0 || queue.hasAvailable(); steps++) {
                BrokenRule.unless(steps < MOST_STEPS, "the device comes to no end");
                again &= ~(1 << index);
                int base = queue.base();
                device.process(queue);
                if (queue.base() == base && (again & 1 << index) == 0) {
                    // The device takes no more now: it holds a statistics buffer, and the others wait.
                    break;
                }
                settle();
            }
            requireGivenBack(index);
        } catch (DriverFault e) {
            BrokenRule.unless(e.getMessage() != null && !e.getMessage().isBlank(), "a fault has no text");
            modelled &= index > DEFLATE;
            stop(index, false);
            drivers[index].startAnew();
            start(index, 0);
            modelled &= index != INFLATE;
        }
    }

    private void settle() {
        for (int steps = 0; !later.isEmpty(); steps++) {
            BrokenRule.unless(steps < MOST_STEPS, "the device comes to no end");
            later.remove().run();
        }
    }

    /** Requires that all chains were returned, except those that a device keeps until it has something to send. */
    private void requireGivenBack(int index) {
        drivers[index].takeUsed();
        if (index == INFLATE || index == DEFLATE || index == FREE_PAGES || index == REPORTING) {
            BrokenRule.unlessEqual(
                    drivers[index].outstanding(), 0, "the chains that queue " + index + " did not give back");
        }
        MEMORY.acceptAnything(BUFFERS, BUFFERS_BYTES);
    }

    // The front-end and the operator.

    private void operator() {
        int what = input.u8();
        try {
            switch (what & 7) {
                case 0 -> device.setNumPages(input.i32() & 0xffff_ffffL);
                case 1 -> device.startHinting();
                case 2 -> device.stopHinting();
                case 3 -> device.finishHinting();
                case 4 -> device.requestStatistics();
                case 5 -> device.askForFreePages(BitmapRequest.ALL);
                case 6 -> {
                    List<BitmapRequest.Range> ranges = new ArrayList<>();
                    for (int i = input.u8() & 3; i > 0; i--) {
                        ranges.add(new BitmapRequest.Range(pageAddress(), 4096L * input.u8()));
                    }
                    device.askForFreePages(new BitmapRequest(12 + input.below(19), ranges));
                }
                default -> device.cancelFreePages();
            }
        } catch (IllegalStateException e) {
            BrokenRule.unless(e.getMessage() != null && !e.getMessage().isBlank(), "a refusal gives no reason");
        }
        settle();
    }

    private void config() {
        byte[] bytes = input.take(1 + input.below(16));
        int offset = Math.min(input.below(device.configSize()), device.configSize() - bytes.length);
        if (bytes.length > 0 && offset >= 0) {
            device.writeConfig(offset, MemorySegment.ofArray(bytes));
        }
        device.readConfig(MemorySegment.ofArray(new byte[device.configSize()]));
    }

    private void restart(int index, int how) {
        process(index);
        if (queues[index] == null) {
            return;
        }
        int base = stop(index, (how & 1) != 0);
        drivers[index].takeUsed();
        if ((how & 6) == 6) {
            drivers[index].startAnew();
            base = 0;
            modelled = false;
        }
        start(index, base);
    }

    /** The guest restarts. */
    private void reboot() {
        processAll();
        for (int i = 0; i < QUEUES; i++) {
            stop(i, (input.u8() & 1) != 0);
            drivers[i].startAnew();
        }
        device.reset();
        device.featuresAcknowledged(features);
        for (int i = 0; i < QUEUES; i++) {
            start(i, 0);
        }
        processAll();
        if (modelled) {
            inBalloon.clear();
        }
    }

    private void reconnect() {
        processAll();
        int[] bases = new int[QUEUES];
        for (int i = 0; i < QUEUES; i++) {
            bases[i] = stop(i, false);
        }
        device.disconnected();
        later.clear();
        again = 0;
        device.connected(this);
        device.featuresAcknowledged(features);
        for (int i = 0; i < QUEUES; i++) {
            start(i, bases[i]);
        }
        // A queue at its start position may belong to a new driver.
        modelled = false;
    }

    private void shareUpper() {
        processAll();
        if (upperShared) {
            MEMORY.guest().detach(UPPER);
        } else {
            MEMORY.guest().add(UPPER);
        }
        upperShared = !upperShared;
        device.memoryChanged();
        settle();
    }

    /** Moves the state to a newly created balloon. */
    private void move() {
        processAll();
        VirtioBalloon other = new VirtioBalloon(
                BalloonOptions.defaults(), KeptBalloon.ofHeap(), new Listeners(), new PageFeed(), LOOP);
        try {
            MemorySegment saved = device.state().save();
            other.state().load(saved);
            // Its pages count in the new balloon as soon as its driver continues.
            BrokenRule.unless(
                    other.state().save().mismatch(saved) < 0, "a balloon's state is another one when it moved");
        } catch (DeviceStateException e) {
            throw new BrokenRule("a balloon's state can't be moved", e);
        }
        BrokenRule.unlessEqual(other.numPages(), device.numPages(), "the moved num_pages");
    }

    private void start(int index, int base) {
        Virtqueue queue = drivers[index].device(base);
        queues[index] = queue;
        again &= ~(1 << index);
        device.queueStarted(queue);
        settle();
    }

    private int stop(int index, boolean completing) {
        Virtqueue queue = queues[index];
        if (queue == null) {
            return 0;
        }
        device.queueStopped(queue, completing);
        queues[index] = null;
        return queue.base();
    }

    // What must hold.

    private void requireConsistent() {
        long pages = device.pagesInBalloon();
        BrokenRule.unless(pages >= 0 && pages <= 1L << 32, "an impossible number of pages in the balloon");
        if (modelled) {
            BrokenRule.unlessEqual(pages, inBalloon.cardinality(), "the number of pages in the balloon");
        }
        BitmapAnswer answer = device.freePageBitmap();
        BrokenRule.unless(
                answer.bytes() >= 0 && answer.bytes() <= MEMORY.guest().size() + 4096L * PAGES,
                "more is free than there is");
        if (answer.state() == BitmapState.COMPLETE) {
            long blocks =
                    answer.blockBytes().stream().mapToLong(Long::longValue).sum();
            BrokenRule.unlessEqual(blocks, answer.bytes(), "the bytes of all blocks");
        }
        for (PageDescriptors told : device.pageDescriptors()) {
            requireWellFormed(told);
        }
        BrokenRule.unless(device.freePages().toString() != null, "no text");
        device.statistics();
        requireContent(LOWER, 0);
        requireContent(UPPER, LOWER_PAGES + GAP_PAGES);
    }

    private void requireContent(MemoryRegion region, int first) {
        for (int i = 0; i < region.size() / 4096; i++) {
            if (!mayBeGone.get(first + i)) {
                boolean whole = region.segment().get(JAVA_BYTE, i * 4096L) == MARK
                        && region.segment().get(JAVA_BYTE, i * 4096L + 4095) == MARK;
                BrokenRule.unless(whole, "a page was emptied that the guest uses");
            }
        }
    }

    /** FPB-DESC-7 */
    private static void requireWellFormed(PageDescriptors told) {
        boolean right = told.pageShift() >= 12
                && told.pageShift() <= 30
                && told.mostOrder() >= 0
                && told.mostOrder() <= 30
                && told.stride() >= 4
                && told.stride() <= 4096
                && told.markOffset() >= 0
                && told.markOffset() <= told.stride() - 4
                && told.orderOffset() >= 0
                && told.orderOffset() <= told.stride() - 4
                && told.markMask() != 0
                && !told.guards().isEmpty()
                && told.guards().size() <= 32;
        for (PageDescriptors.Range range : told.ranges()) {
            right &= (range.address() & (1L << told.pageShift()) - 1) == 0
                    && fits(range.address(), range.pages(), 1L << told.pageShift())
                    && fits(range.descriptors(), range.pages(), told.stride())
                    && range.guards() != 0
                    && Integer.toUnsignedLong(range.guards()) >>> told.guards().size() == 0;
        }
        BrokenRule.unless(right, "page descriptors are not well-formed");
    }

    /** True if so many pieces end at 2^64 at the most. */
    private static boolean fits(long start, long pieces, long size) {
        long high = Math.unsignedMultiplyHigh(pieces, size);
        long low = pieces * size;
        boolean wraps = low != 0 && Long.compareUnsigned(low - 1, -1 - start) > 0;
        return (high == 0 && !wraps) || (high == 1 && low == 0 && start == 0);
    }

    @Override
    public GuestMemory memory() {
        return MEMORY.guest();
    }

    @Override
    public void configChanged() {}

    @Override
    public boolean mayPush(Virtqueue queue) {
        return queues[queue.index()] == queue;
    }

    @Override
    public void callIfWanted(Virtqueue queue) {}

    @Override
    public void processAgain(Virtqueue queue) {
        again |= 1 << queue.index();
    }

    @Override
    public void later(Runnable task) {
        later.add(task);
    }

    @Override
    public void driverFault(String what) {
        BrokenRule.unless(!what.isBlank(), "a fault has no text");
    }

    @Override
    public void hostFault(String what) {
        throw new BrokenRule("the host failed: " + what);
    }
}
