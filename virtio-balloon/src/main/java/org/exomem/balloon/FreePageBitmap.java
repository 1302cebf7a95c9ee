package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The bitmap queue (spec/free-page-bitmap.md). The driver has a device-writable buffer there; the device asks by writing a
 * request into it. The driver answers with chunks, and has the buffer there again afterwards. What comes under another id than the last request's
 * is ignored (FPB-LIM-2), so a driver that is late, silent or wrong costs nothing.
 *
 * <p>Nothing is ever discarded or written for a bit (FPB-BIT-3): the guest may have used the page again. Listeners of the page feed
 * are told of a hint session whose id is the request's; ids are below those of free page hinting.
 *
 * <p>Its memory is 32 KiB for each GiB that the front-end shares (FPB-LIM-1), whatever a driver claims.
 */
final class FreePageBitmap {
    /** Request buffers that are kept. A driver has one (FPB-REQ-1); one more than these is given back. */
    private static final int MOST_REQUESTS = 4;

    private static final int WANTED = 4;

    /** The most pages that are told in one go: 4 GiB. */
    private static final long AT_ONCE = 1L << 20;

    /** The ids of hinting begin behind. */
    private static final int LAST_ID = Integer.MAX_VALUE;

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final BitmapFormat format;
    private final PageFeed feed;
    private final Predicate<Virtqueue> mayPush;
    private final Consumer<Virtqueue> call;
    private final LeftAlone leftAlone;
    private final StepBudget budget;

    private final MemorySegment message = MemorySegment.ofArray(new byte[BitmapFormat.MOST_REQUEST]);
    private final BitmapChunk chunk = new BitmapChunk();
    private final BlockSizes blocks = new BlockSizes();

    private @Nullable Virtqueue queue;
    private @Nullable GuestMemory memory;
    /** The driver's request buffers, of which the first {@link #held} are here, the oldest first. The next one is popped into the one behind. */
    private final DescriptorChain[] chains = new DescriptorChain[MOST_REQUESTS + 1];

    private int held;

    private BitmapState state = BitmapState.IDLE;
    private BitmapRequest request = BitmapRequest.ALL;
    private int id;
    /** There is a request that the driver has not got. */
    private boolean unsent;

    private boolean poisoned;
    private PageSet told = new PageSet();
    private long chunks;
    private long ignoredChunks;
    private long askedAt;
    private long endedAt;
    private long deviceNanos;

    /** Guest memory has changed, and with it the place of a buffer that is here. */
    private boolean misplaced;
    /** A chunk is in hand, in {@link #inHand}, of which a part is done. */
    private boolean holding;

    private DescriptorChain inHand = new DescriptorChain();
    /** Of the chunk's run that was found last, what is not told yet. */
    private long nextPage;

    private long leftPages;
    /** The answer has ended, and its blocks are being counted; then it is as the state says. */
    private @Nullable BitmapState counted;
    /** Pages of 64 neighbours that are not told yet. */
    private long wordFirst;

    private long wordMask;

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
        this.feed = feed;
        this.mayPush = mayPush;
        this.call = call;
        this.leftAlone = leftAlone;
        this.budget = budget;
        for (int i = 0; i < chains.length; i++) {
            chains[i] = new DescriptorChain();
        }
        // FPB-REQ-2: the device that this one follows on another host, or in another process, began elsewhere.
        this.id = ThreadLocalRandom.current().nextInt(1, LAST_ID);
    }

    /** What has come of the last request. */
    BitmapAnswer answer() {
        boolean any = state != BitmapState.IDLE;
        long until = state.isOpen() ? System.nanoTime() : endedAt;
        return new BitmapAnswer(
                state,
                any ? id : 0,
                Pages.bytes(told.count()),
                chunks,
                ignoredChunks,
                any ? until - askedAt : 0,
                deviceNanos,
                state.isOpen() || !any ? List.of() : blocks.bytes());
    }

    /**
     * Asks for free pages under a new id; a request under way ends (FPB-REQ-3).
     *
     * @param guestPoisons the guest expects free pages to keep what they hold: then the answer is counted, and no listener is told of it
     *     (FPB-BIT-6)
     */
    void ask(BitmapRequest wanted, boolean guestPoisons) {
        end(BitmapState.CANCELLED);
        id = id == LAST_ID ? 1 : id + 1;
        request = wanted;
        poisoned = guestPoisons;
        told = new PageSet();
        blocks.clear();
        chunks = 0;
        deviceNanos = 0;
        askedAt = System.nanoTime();
        state = BitmapState.REQUESTED;
        // FPB-BIT-4. Before the driver can know of the request: a page that it tells may be used again at any time
        // after that.
        if (!poisoned) {
            feed.offer(PageFeed.Kind.HINTING_STARTED, id, 0, 0);
        }
        unsent = true;
        sendOutside();
    }

    /** Ends the request; nothing happens if there is none. The driver sees it when it sends its next chunk (FPB-REQ-3). */
    void cancel() {
        end(BitmapState.CANCELLED);
    }

    private void end(BitmapState how) {
        if (!state.isOpen()) {
            return;
        }
        tellWord();
        if (!poisoned && counted == null) {
            feed.offer(PageFeed.Kind.HINTING_ENDED, id, 0, 0);
        }
        if (counted == null) {
            endedAt = System.nanoTime();
        }
        state = counted == null ? how : counted;
        counted = null;
        leftPages = 0;
        unsent = false;
    }

    private void sendOutside() {
        Virtqueue current = queue;
        if (unsent && current != null && mayPush.test(current)) {
            giveMisplacedBack(current);
            send(current);
            call.accept(current);
        }
    }

    /** Sends what there is to send, if the driver has given a buffer for it (FPB-REQ-5). */
    private void send(Virtqueue current) {
        if (!unsent || held == 0) {
            return;
        }
        DescriptorChain buffer = chains[0];
        int room = (int) Math.min(BitmapFormat.MOST_REQUEST, buffer.writableBytes());
        int length = format.writeRequest(message, room, id, request);
        buffer.write(0, message.asSlice(0, length), Objects.requireNonNull(memory));
        giveBack(current, length);
        unsent = false;
    }

    private void giveBack(Virtqueue current, int length) {
        DescriptorChain first = chains[0];
        System.arraycopy(chains, 1, chains, 0, held - 1);
        held--;
        chains[held] = first;
        current.push(first, length);
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
        tellWord();
        send(current);
        if (start != 0) {
            deviceNanos += System.nanoTime() - start;
        }
        return holding || counted != null;
    }

    private boolean next(Virtqueue current) {
        DescriptorChain chain = chains[held];
        if (!current.pop(chain)) {
            return false;
        }
        budget.spend((long) StepBudget.RUN * (1 + chain.buffers()));
        if (chain.readableBytes() > 0) {
            beginChunk(current, chain);
        } else if (chain.writableBytes() < format.leastRequest()) {
            // FPB-REQ-1
            current.push(chain, 0);
        } else {
            if (format.tellsWanted() && state.isOpen() && !unsent) {
                // FPB-LIM-7
                answered(BitmapState.INCOMPLETE);
            }
            hold(current);
        }
        return true;
    }

    /** The buffer that was popped last is kept for a request. */
    private void hold(Virtqueue current) {
        held++;
        if (held == chains.length) {
            giveBack(current, 0);
        }
    }

    private void beginChunk(Virtqueue current, DescriptorChain chain) {
        boolean open = state.isOpen() && !unsent;
        if (!format.begin(chain, chunk, open ? id : 0) || !open || chunk.id() != id) {
            ignoredChunks++;
            if (takesRequest(chain)) {
                hold(current);
            } else {
                use(current, chain);
            }
            return;
        }
        state = BitmapState.ANSWERING;
        chains[held] = inHand;
        inHand = chain;
        chunks++;
        holding = true;
    }

    /** Goes on with the chunk in hand as far as the budget allows. */
    private void goOn(Virtqueue current) {
        // A request that was replaced or cancelled meanwhile.
        boolean counts = state.isOpen() && chunk.id() == id;
        while (counts && !budget.isSpent()) {
            if (leftPages > 0) {
                tellSome();
            } else if (chunk.nextRun()) {
                budget.spend(StepBudget.RUN);
                nextPage = chunk.runFirstPage();
                leftPages = chunk.runPages();
            } else if (chunk.nextPart(inHand)) {
                budget.spend((long) StepBudget.CALL + inHand.buffers());
            } else {
                if (chunk.isLast()) {
                    answered(chunk.isIncomplete() ? BitmapState.INCOMPLETE : BitmapState.COMPLETE);
                }
                giveChunkBack(current);
                return;
            }
        }
        if (!counts) {
            giveChunkBack(current);
        }
    }

    private void giveChunkBack(Virtqueue current) {
        holding = false;
        leftPages = 0;
        if (takesRequest(inHand)) {
            DescriptorChain buffer = inHand;
            inHand = chains[held];
            chains[held] = buffer;
            hold(current);
        } else {
            use(current, inHand);
        }
    }

    private boolean takesRequest(DescriptorChain chain) {
        return format.answersAreRequestBuffers() && chain.writableBytes() >= format.leastRequest();
    }

    /** Gives a chunk back and tells in it which request is to be answered (FPB-OWN-1). */
    private void use(Virtqueue current, DescriptorChain chain) {
        message.set(LE_INT, 0, state.isOpen() && counted == null ? id : 0);
        boolean tells = format.tellsWanted() && chain.writableBytes() >= WANTED && !misplaced;
        current.push(
                chain, tells ? (int) chain.write(0, message.asSlice(0, WANTED), Objects.requireNonNull(memory)) : 0);
    }

    private void tellSome() {
        budget.spend(StepBudget.RUN);
        MemoryRegion region = Objects.requireNonNull(memory).findFrom(Pages.bytes(nextPage));
        if (region == null || nextPage >= PageSet.LIMIT) {
            leaveAlone(leftPages);
            return;
        }
        long first = Pages.ceil(region.guestAddress());
        long end = Math.min(PageSet.LIMIT, Pages.floor(region.guestAddress() + region.size()));
        if (nextPage < first) {
            leaveAlone(Math.min(leftPages, first - nextPage));
            return;
        }
        long pages = Math.min(Math.min(leftPages, AT_ONCE), end - nextPage);
        if (pages <= 0) {
            leaveAlone(1);
            return;
        }
        told.addAll(nextPage, pages);
        budget.spend((long) StepBudget.WORD * (pages / Long.SIZE));
        if (!poisoned) {
            tell(nextPage, nextPage + pages);
        }
        nextPage += pages;
        leftPages -= pages;
    }

    /** FPB-LIM-1 */
    private void leaveAlone(long pages) {
        leftAlone.pages(pages);
        nextPage += pages;
        leftPages -= pages;
    }

    private void tell(long first, long end) {
        long page = first;
        while (page < end) {
            long whole = (end - page) & -BitWords.WORD;
            if (page % BitWords.WORD == 0 && whole > 0) {
                tellWord();
                feed.offer(PageFeed.Kind.HINTED, id, Pages.bytes(page), Pages.bytes(whole));
                page += whole;
            } else {
                long word = page & -BitWords.WORD;
                if (word != wordFirst) {
                    tellWord();
                    wordFirst = word;
                }
                wordMask |= BitWords.mask(page, end);
                page = Math.min(end, BitWords.nextWord(page));
            }
        }
    }

    private void tellWord() {
        if (wordMask != 0) {
            feed.offerHinted(id, wordFirst, wordMask);
            wordMask = 0;
        }
    }

    private void answered(BitmapState how) {
        tellWord();
        endedAt = System.nanoTime();
        if (!poisoned) {
            feed.offer(PageFeed.Kind.HINTING_ENDED, id, 0, 0);
        }
        counted = how;
    }

    private void countBlocks() {
        if (blocks.countNext(told)) {
            budget.spend((long) StepBudget.WORD * (PageSet.CHUNK_PAGES / Long.SIZE));
        } else {
            end(Objects.requireNonNull(counted));
        }
    }

    /** The queue starts, with its buffers all the driver's. */
    void started(Virtqueue started, GuestMemory shared) {
        queue = started;
        memory = shared;
        held = 0;
        holding = false;
        misplaced = false;
    }

    /**
     * The queue stops, and with it the request (FPB-RST-1). If it is to be completed the buffers go back, and the driver makes them
     * available again when it runs on. Otherwise they are popped again, or the driver has forgotten them.
     */
    void stopped(boolean completing) {
        end(BitmapState.CANCELLED);
        Virtqueue current = queue;
        if (completing && current != null && (held > 0 || holding)) {
            giveAllBack(current);
            call.accept(current);
        }
        queue = null;
        memory = null;
        held = 0;
        holding = false;
    }

    /** Guest memory has changed: a buffer may lie elsewhere, or be gone. Then all go back, untouched. */
    void memoryChanged() {
        Virtqueue current = queue;
        if (current == null) {
            return;
        }
        GuestMemory now = Objects.requireNonNull(memory);
        boolean gone = holding && !inHand.relocate(0, now);
        for (int i = 0; i < held; i++) {
            gone |= !chains[i].relocate(0, now);
        }
        misplaced |= gone;
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
            giveChunkBack(current);
        }
        // Also what was the chunk's, if a request goes there.
        while (held > 0) {
            giveBack(current, 0);
        }
    }
}
