package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The bitmap queue (spec/free-page-bitmap.md). The driver has a device-writable buffer there; the device asks by writing a
 * request into it. The driver answers with chunks, and has the buffer there again afterwards. What comes under another id than the last
 * request's is ignored (FPB-LIM-2), so a driver that is late, silent or wrong costs nothing. Before all that it may tell page descriptors
 * there.
 *
 * <p>Nothing is ever discarded or written for a bit (FPB-BIT-3): the guest may have used the page again. Listeners of the page feed
 * are told of a hint session whose id is the request's; ids are below those of free page hinting.
 */
final class FreePageBitmap {
    private static final int WANTED = 4;
    /** The ids of hinting begin behind. */
    private static final int LAST_ID = Integer.MAX_VALUE;

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long[] NOTHING = {};

    private final BitmapFormat format;
    private final Predicate<Virtqueue> mayPush;
    private final Consumer<Virtqueue> call;
    private final StepBudget budget;
    private final ToldPages told;
    private final ToldDescriptors descriptors;

    private final MemorySegment wanted = MemorySegment.ofArray(new byte[WANTED]);
    private final BitmapChunk chunk = new BitmapChunk();
    private final RequestBuffers buffers = new RequestBuffers();

    private @Nullable Virtqueue queue;
    private @Nullable GuestMemory memory;

    private BitmapState state = BitmapState.IDLE;
    private BitmapRequest request = BitmapRequest.ALL;
    private int id;
    /** There is a request that the driver has not got. */
    private boolean unsent;

    private long chunks;
    private long ignoredChunks;
    private long askedAt;
    private long endedAt;
    private long deviceNanos;

    /** Guest memory has changed, and with it the place of a buffer that is here. */
    private boolean misplaced;
    /** A chunk or page descriptors are in hand, in {@link #inHand}, of which a part is done. */
    private boolean holding;

    private DescriptorChain inHand = new DescriptorChain();
    /** The answer has ended, and its blocks are being counted; then it is as this says. */
    private @Nullable BitmapState counted;

    /**
     * @param format of requests and answers
     * @param mayPush tells whether a buffer may be given back outside of processing
     * @param call calls the driver for what was pushed outside of processing
     * @param leftAlone is told of pages that the front-end does not share
     * @param budget of the steps in which {@link #process} is called
     */
    FreePageBitmap(
            BitmapFormat format,
            PageFeed feed,
            Predicate<Virtqueue> mayPush,
            Consumer<Virtqueue> call,
            LeftAlone leftAlone,
            StepBudget budget) {
        this.format = format;
        this.mayPush = mayPush;
        this.call = call;
        this.budget = budget;
        this.told = new ToldPages(feed, leftAlone, budget);
        this.descriptors = new ToldDescriptors(budget);
        // FPB-REQ-8: the device that this one follows on another host, or in another process, began elsewhere.
        this.id = ThreadLocalRandom.current().nextInt(1, LAST_ID);
    }

    /** The page descriptors that the driver has told; empty while the queue does not run. */
    List<PageDescriptors> descriptors() {
        return descriptors.descriptors();
    }

    /** The pages of a GiB that were free in the last answer of the driver that is there; empty if there are none. */
    long[] told(int gib) {
        return queue == null ? NOTHING : told.copy(gib);
    }

    /** The driver that starts the queue next is another one, or not known to be the same. */
    void driverGone() {
        descriptors.forget();
    }

    /** What has come of the last request. */
    BitmapAnswer answer() {
        boolean any = state != BitmapState.IDLE;
        long until = state.isOpen() ? System.nanoTime() : endedAt;
        return new BitmapAnswer(
                state,
                any ? id : 0,
                told.bytes(),
                chunks,
                ignoredChunks,
                any ? until - askedAt : 0,
                deviceNanos,
                state.isOpen() || !any ? List.of() : told.blockBytes(),
                descriptors.bytes());
    }

    /**
     * Asks for free pages under a new id; a request under way ends (FPB-REQ-3).
     *
     * @param guestPoisons the guest expects free pages to keep what they hold: then the answer is counted, and no listener is told of it
     *     (FPB-BIT-6)
     */
    void ask(BitmapRequest what, boolean guestPoisons) {
        cancel();
        // FPB-REQ-2
        id = id == LAST_ID ? 1 : id + 1;
        request = what;
        chunks = 0;
        deviceNanos = 0;
        askedAt = System.nanoTime();
        state = BitmapState.REQUESTED;
        unsent = true;
        // FPB-BIT-4. Before the driver can know of the request: a page that it tells may be used again at any time
        // after that.
        told.begin(id, guestPoisons);
        Virtqueue current = queue;
        if (current != null && mayPush.test(current)) {
            giveMisplacedBack(current);
            send(current);
            call.accept(current);
        }
    }

    /** Ends the request; nothing happens if there is none. The driver sees it when it sends its next chunk (FPB-REQ-3). */
    void cancel() {
        if (counted != null) {
            // The answer is there, and only its blocks are not.
            state = counted;
            counted = null;
        } else if (state.isOpen()) {
            endSession();
            state = BitmapState.CANCELLED;
        }
    }

    private void endSession() {
        told.end();
        endedAt = System.nanoTime();
        unsent = false;
    }

    /** The answer has ended; its blocks are counted next. */
    private void answered(BitmapState how) {
        endSession();
        counted = how;
    }

    /** Sends what there is to send, if the driver has given a buffer for it (FPB-REQ-5). */
    private void send(Virtqueue current) {
        if (!unsent || buffers.isEmpty()) {
            return;
        }
        DescriptorChain buffer = buffers.first();
        int room = (int) Math.min(BitmapFormat.MOST_REQUEST, buffer.writableBytes());
        MemorySegment message = MemorySegment.ofArray(new byte[BitmapFormat.MOST_REQUEST]);
        int length = format.writeRequest(message, room, id, request);
        buffer.write(0, message.asSlice(0, length), Objects.requireNonNull(memory));
        buffers.giveBack(current, length);
        unsent = false;
    }

    /**
     * Takes and gives back what is available, or a part of it if that is very much, and sends a request that waits.
     *
     * @return true if there is something in hand with which the next call goes on
     */
    boolean process(Virtqueue current) {
        long start = state.isOpen() ? System.nanoTime() : 0;
        giveMisplacedBack(current);
        while (!budget.isSpent()) {
            if (counted != null) {
                countBlocks();
            } else if (holding) {
                goOn(current);
            } else if (!next(current)) {
                break;
            }
        }
        told.flush();
        send(current);
        if (start != 0) {
            deviceNanos += System.nanoTime() - start;
        }
        return holding || counted != null;
    }

    private boolean next(Virtqueue current) {
        DescriptorChain chain = buffers.next();
        if (!current.pop(chain)) {
            return false;
        }
        budget.spend((long) StepBudget.RUN * (1 + chain.buffers()));
        if (chain.readableBytes() > 0) {
            begin(current, chain);
        } else if (chain.writableBytes() < format.leastRequest()) {
            // FPB-REQ-7
            current.push(chain, 0);
        } else {
            if (format.tellsWanted() && isAwaited()) {
                // FPB-LIM-7
                answered(BitmapState.INCOMPLETE);
            }
            descriptors.close();
            buffers.hold(current);
        }
        return true;
    }

    /** True if the driver has a request that it has not answered. */
    private boolean isAwaited() {
        return state.isOpen() && !unsent && counted == null;
    }

    private void begin(Virtqueue current, DescriptorChain chain) {
        boolean counts = switch (format.begin(chain, chunk, isAwaited() ? id : 0)) {
            case CHUNK -> beginChunk();
            case DESCRIPTORS -> descriptors.begin(chain);
            case MALFORMED -> false;
        };
        if (counts) {
            inHand = buffers.exchangeNext(inHand);
            holding = true;
            return;
        }
        ignoredChunks++;
        if (takesRequest(chain)) {
            buffers.hold(current);
        } else {
            use(current, chain);
        }
    }

    private boolean beginChunk() {
        if (!isAwaited() || chunk.id() != id) {
            return false;
        }
        state = BitmapState.ANSWERING;
        chunks++;
        return true;
    }

    /** Goes on with what is in hand as far as the budget allows. */
    private void goOn(Virtqueue current) {
        if (descriptors.isReading()) {
            goOnWithDescriptors(current);
        } else {
            goOnWithChunk(current);
        }
    }

    private void goOnWithDescriptors(Virtqueue current) {
        while (descriptors.isReading()) {
            if (budget.isSpent()) {
                return;
            }
            if (!descriptors.readSome(inHand)) {
                ignoredChunks++;
            }
        }
        giveInHandBack(current);
    }

    private void goOnWithChunk(Virtqueue current) {
        // Not if its request was replaced or cancelled meanwhile.
        while (isAwaited() && chunk.id() == id) {
            if (budget.isSpent()) {
                return;
            }
            if (told.isTelling()) {
                told.tellSome(Objects.requireNonNull(memory));
            } else if (!takeNext() && !nextPart()) {
                if (!chunk.isLast()) {
                    break;
                }
                answered(chunk.isIncomplete() ? BitmapState.INCOMPLETE : BitmapState.COMPLETE);
            }
        }
        giveInHandBack(current);
    }

    /** Takes what comes next in the part of the bitmap that is looked at; false if nothing is left of it. */
    private boolean takeNext() {
        if (!chunk.isOfMasks()) {
            return takeNextRun();
        }
        if (!chunk.nextMask()) {
            return false;
        }
        told.takeMask(chunk.maskFirstPage(), chunk.mask(), Objects.requireNonNull(memory));
        return true;
    }

    private boolean takeNextRun() {
        if (!chunk.nextRun()) {
            return false;
        }
        budget.spend(StepBudget.RUN);
        told.take(chunk.runFirstPage(), chunk.runPages());
        return true;
    }

    private boolean nextPart() {
        budget.spend((long) StepBudget.CALL + inHand.buffers());
        return chunk.nextPart(inHand);
    }

    private void giveInHandBack(Virtqueue current) {
        holding = false;
        told.drop();
        descriptors.drop();
        if (takesRequest(inHand)) {
            inHand = buffers.exchangeNext(inHand);
            buffers.hold(current);
        } else {
            use(current, inHand);
        }
    }

    private boolean takesRequest(DescriptorChain chain) {
        return format.answersAreRequestBuffers() && chain.writableBytes() >= format.leastRequest();
    }

    /** Gives a message back and tells in it which request is to be answered (FPB-OWN-1). */
    private void use(Virtqueue current, DescriptorChain chain) {
        boolean tells = format.tellsWanted() && chain.writableBytes() >= WANTED && !misplaced;
        wanted.set(LE_INT, 0, state.isOpen() && counted == null ? id : 0);
        current.push(chain, tells ? (int) chain.write(0, wanted, Objects.requireNonNull(memory)) : 0);
    }

    private void countBlocks() {
        if (told.countBlocks()) {
            budget.spend((long) StepBudget.WORD * (PageSet.CHUNK_PAGES / Long.SIZE));
        } else {
            state = Objects.requireNonNull(counted);
            counted = null;
        }
    }

    /** The queue starts, with its buffers all the driver's. */
    void started(Virtqueue started, GuestMemory shared) {
        queue = started;
        memory = shared;
        descriptors.started(started);
        forget();
    }

    /**
     * The queue stops, and with it the request (FPB-RST-1). If it is to be completed the buffers go back, and the driver makes them
     * available again when it runs on. Otherwise they are popped again, or the driver has forgotten them.
     */
    void stopped(boolean completing) {
        cancel();
        Virtqueue current = queue;
        if (current == null) {
            return;
        }
        if (completing) {
            if (descriptors.isReading()) {
                // BAL-STEP-2: told anew where the queue goes on, since a driver tells them once.
                current.unpop(inHand);
                holding = false;
            }
            giveAllBack(current);
            call.accept(current);
        }
        descriptors.stopped(current);
        queue = null;
        memory = null;
        forget();
    }

    private void forget() {
        buffers.forget();
        holding = false;
        misplaced = false;
    }

    /** Guest memory has changed: a buffer may lie elsewhere, or be gone. Then all go back, untouched. */
    void memoryChanged() {
        GuestMemory now = memory;
        if (now != null) {
            misplaced |= !buffers.relocate(now) | (holding && !inHand.relocate(0, now));
        }
    }

    /** The driver makes them available again where they are now. */
    private void giveMisplacedBack(Virtqueue current) {
        if (misplaced) {
            giveAllBack(current);
            misplaced = false;
        }
    }

    private void giveAllBack(Virtqueue current) {
        if (holding) {
            giveInHandBack(current);
        }
        // Also what was the chunk's, if a request goes there.
        buffers.giveAllBack(current);
    }
}
