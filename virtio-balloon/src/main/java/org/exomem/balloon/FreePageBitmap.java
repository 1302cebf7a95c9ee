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
 * The bitmap queue (spec/free-page-bitmap.md). The driver makes a device-writable buffer available; the device asks by
 * writing a request into it. The driver answers with chunks, and makes a buffer available again afterwards. Chunks with
 * another id than the last request's are ignored (FPB-LIM-2), so a late, silent or faulty driver has no effect. Before its
 * first request buffer the driver may send page descriptors there. Used on the VM's event loop.
 *
 * <p>Nothing is ever discarded or written because of a bit (FPB-BIT-3): the guest may have used the page again. Listeners of
 * the page feed see a hint session whose id is the request's; these ids are below those of free page hinting.
 */
final class FreePageBitmap {
    private static final int WANTED = 4;
    /** The largest id. The ids of hinting begin after it. */
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
    /** There is a request that was not sent to the driver. */
    private boolean unsent;

    private long chunks;
    private long ignoredChunks;
    private long askedAt;
    private long endedAt;
    private long deviceNanos;

    /** Guest memory has changed, and a kept buffer has no place in it any more. */
    private boolean misplaced;
    /** A chunk or page descriptors are in hand, in {@link #inHand}, and done in part. */
    private boolean holding;

    private DescriptorChain inHand = new DescriptorChain();
    /** The answer has ended, and its blocks are being counted; the state after that. */
    private @Nullable BitmapState counted;

    /**
     * @param format of requests and answers
     * @param mayPush true if a buffer may be given back outside of processing
     * @param call notifies the driver of chains pushed outside of processing
     * @param leftAlone receives pages that the front-end does not share
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
        // FPB-REQ-8: the device before this one, on another host or in another process, began with another id.
        this.id = ThreadLocalRandom.current().nextInt(1, LAST_ID);
    }

    /** The page descriptors that the driver has sent; empty while the queue does not run. */
    List<PageDescriptors> descriptors() {
        return descriptors.descriptors();
    }

    /** The pages of a GiB that were free in the last answer of the present driver; empty if there are none. */
    long[] told(int gib) {
        return queue == null ? NOTHING : told.copy(gib);
    }

    /** The driver that starts the queue next is another one, or not known to be the same. */
    void driverGone() {
        descriptors.forget();
    }

    /** The state and result of the last request. */
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
     * @param guestPoisons the guest expects free pages to keep their content. The answer is then counted, and not sent to
     *     listeners (FPB-BIT-6)
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
        // FPB-BIT-4. This comes before the driver can know of the request: a page that it names may be used again at
        // any time after that.
        told.begin(id, guestPoisons);
        Virtqueue current = queue;
        if (current != null && mayPush.test(current)) {
            giveMisplacedBack(current);
            send(current);
            call.accept(current);
        }
    }

    /** Ends the request, if any. The driver notices when it sends its next chunk (FPB-REQ-3). */
    void cancel() {
        if (counted != null) {
            // The answer is complete; only its blocks are not counted.
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

    /** Sends an unsent request, if the driver has made a buffer available for it (FPB-REQ-5). */
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
     * Takes and gives back available chains, only some of them if there are very many, and sends a waiting request.
     *
     * @return true if something is in hand that the next call continues
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

    /** True if the driver has an unanswered request. */
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

    /** Continues what is in hand as far as the budget allows. */
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

    /** Takes the next pages in the present part of the bitmap; false if none are left. */
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

    /** Gives a message back and writes into it which request is to be answered (FPB-OWN-1). */
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

    /** The queue starts; the driver has all buffers. */
    void started(Virtqueue started, GuestMemory shared) {
        queue = started;
        memory = shared;
        descriptors.started(started);
        forget();
    }

    /**
     * The queue stops, which ends the request (FPB-RST-1). If the queue is to be completed, the buffers are given back, and
     * the driver makes them available again when it continues. Otherwise they are popped again, or the driver has forgotten
     * them.
     */
    void stopped(boolean completing) {
        cancel();
        Virtqueue current = queue;
        if (current == null) {
            return;
        }
        if (completing) {
            if (descriptors.isReading()) {
                // BAL-STEP-2: read anew where the queue continues, because a driver sends descriptors once.
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

    /**
     * Guest memory has changed: a buffer may have another place, or none. In the latter case all are given back unchanged.
     */
    void memoryChanged() {
        GuestMemory now = memory;
        if (now != null) {
            misplaced |= !buffers.relocate(now) | (holding && !inHand.relocate(0, now));
        }
    }

    /** Gives misplaced buffers back; the driver makes them available again at their present place. */
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
        // Including the chunk's buffer, if it is for a request.
        buffers.giveAllBack(current);
    }
}
