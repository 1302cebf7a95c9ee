package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.pages.PageFeed;
import org.exomem.pages.StateReplay;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * Changes the state of blocks. At whatever instant this process ends, the process that takes over knows what the driver has
 * been told (STA-MEM-1). The order: {@link LastChange} is noted, then host memory changes (MEM-BLK-2, MEM-BLK-5), then the
 * map, and then the driver is answered (MEM-RESP-2). Much host memory takes several steps of the VM's event loop:
 *
 * <pre>
 *   IDLE -- begin --> CARRYING OUT -- all of host memory has changed: the map changes ------> IDLE
 *                          |  |
 *                          |  +------ abandoned, or the host refused: the map is as before --> IDLE
 *                          |                                           ^
 *                          +-- the host has no more to allocate --> UNDOING (what was allocated is given back)
 * </pre>
 *
 * <p>A process that takes over finds the last change, perhaps carried out in part, perhaps not answered. It finishes the
 * change in the map (STA-MEM-2). If the driver's first request repeats the change, at the same place of the used ring, the
 * change was not answered. It is then carried out again as if for the first time, so that it can still fail (STA-MEM-3).
 * Otherwise either it was answered, and host memory had changed before; or the driver is gone, and unplugged memory is
 * emptied for the next one.
 */
final class BlockChanges {
    private final KeptBlocks kept;
    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final BlockBacking backing;
    private final LastChange last;
    private final boolean preallocate;
    /** Made once, to avoid an allocation for each request. */
    private final PageFeed.Listener changes;

    private final PageFeed feed;
    private final HostWork work;
    /** After taking over, the first request may be the last one again, which was not answered. */
    private boolean mayBeRepeated;
    /** The change under way, or null. The blocks follow. */
    private @Nullable RequestType underWay;

    private long first;
    private long count;
    /** Why the change under way is being undone, or null. */
    private @Nullable LinuxException failure;

    private @Nullable BlockGuard guard;

    /** @param feed receives each change before the driver is answered */
    BlockChanges(KeptBlocks kept, boolean preallocate, PageFeed feed) {
        this.feed = feed;
        this.changes = feed::offer;
        this.kept = kept;
        this.plan = kept.plan();
        this.blocks = kept.map();
        this.backing = new BlockBacking(plan);
        this.work = new HostWork(plan);
        this.last = kept.last();
        this.preallocate = preallocate;
        this.mayBeRepeated = last.isValid();
        if (last.isValid()) {
            finishMap();
        }
    }

    private void finishMap() {
        if (last.type() == RequestType.UNPLUG_ALL) {
            blocks.clear();
        } else {
            blocks.set(last.first(), last.count(), last.type() == RequestType.PLUG);
        }
    }

    /** See {@link BlockBacking#covers}. */
    boolean covers(GuestMemory memory, long firstBlock, long blockCount) {
        return backing.covers(memory, firstBlock, blockCount);
    }

    /** See {@link BlockBacking#missing}. */
    @Nullable
    String missing(GuestMemory memory) {
        return backing.missing(memory);
    }

    /**
     * True if a request is the one that was begun before this process took over. It is then carried out whatever the state
     * of its blocks.
     *
     * @param position where in the used ring it will be answered; the driver cannot have an answer there yet
     */
    boolean isRepeated(@Nullable RequestType type, long firstBlock, long blockCount, int position) {
        return mayBeRepeated && type != null && last.is(type, firstBlock, blockCount, position);
    }

    /** A request has arrived. No later one can be the one that was begun before this process took over. */
    void expectNoRepetition() {
        mayBeRepeated = false;
    }

    /**
     * Unplugged blocks are guarded by this from now on (MEM-GUARD); by nothing if it is null.
     *
     * @param by has begun to guard
     */
    void guardWith(@Nullable BlockGuard by) {
        guard = by;
        if (by != null && underWay == RequestType.UNPLUG) {
            by.enter(first, count);
        } else if (by != null && underWay == RequestType.UNPLUG_ALL) {
            by.enter(0, plan.blocks());
        }
    }

    /** All blocks are about to be unplugged. */
    void guardAll() {
        if (guard != null) {
            guard.enter(0, plan.blocks());
        }
    }

    /** The map was changed without a request. */
    void guardUnplugged() {
        if (guard != null) {
            guard.follow();
        }
    }

    /** True from {@link #begin} on until {@link #goOn} has returned true or failed, or the change was abandoned. */
    boolean isUnderWay() {
        return underWay != null;
    }

    /**
     * Begins to plug or unplug; {@link #goOn} does the work.
     *
     * @param type not STATE; the range is ignored for UNPLUG_ALL
     * @param position where in the used ring the request will be answered
     */
    void begin(RequestType type, long firstBlock, long blockCount, int position) {
        underWay = type;
        failure = null;
        first = type == RequestType.UNPLUG_ALL ? 0 : firstBlock;
        count = type == RequestType.UNPLUG_ALL ? 0 : blockCount;
        last.note(type, first, count, position);
        switch (type) {
            case PLUG -> beginToPlug();
            case UNPLUG -> {
                guard(first, count);
                work.discard(first, count);
            }
            // All blocks: the map may not know which were plugged.
            case UNPLUG_ALL -> {
                guardAll();
                work.discard(0, plan.blocks());
            }
            case STATE -> throw new IllegalArgumentException("STATE changes nothing");
        }
    }

    /** MEM-GUARD-2: before the blocks are emptied. Otherwise they could be filled again in between. */
    private void guard(long firstBlock, long blockCount) {
        if (guard != null) {
            guard.enter(firstBlock, blockCount);
        }
    }

    /** MEM-GUARD-3 */
    private void guardNoMore(long firstBlock, long blockCount) {
        if (guard != null) {
            guard.leave(firstBlock, blockCount);
        }
    }

    private void beginToPlug() {
        if (guard != null) {
            guard.forget(first, count);
        }
        if (preallocate) {
            work.allocate(first, count);
        } else {
            work.nothing();
        }
    }

    /**
     * Continues the change as far as the budget of this step allows.
     *
     * @return true when it is carried out
     * @throws LinuxException if the host refuses; the map is then as before the change (MEM-REQ-6, MEM-REQ-8)
     */
    boolean goOn(GuestMemory memory, StepBudget budget) throws LinuxException {
        try {
            if (!work.goOn(memory, budget)) {
                return false;
            }
        } catch (LinuxException e) {
            if (underWay == RequestType.PLUG && failure == null) {
                // What was allocated is given back, also a piece at a time.
                failure = e;
                work.discard(first, count);
                return false;
            }
            throw refused(e);
        }
        if (failure != null) {
            throw refused(failure);
        }
        finish();
        return true;
    }

    private LinuxException refused(LinuxException e) {
        LinuxException reason = failure == null ? e : failure;
        abandon();
        return reason;
    }

    private void finish() {
        switch (underWay) {
            case PLUG -> {
                guardNoMore(first, count);
                setPlugged(true);
            }
            case UNPLUG -> setPlugged(false);
            case UNPLUG_ALL -> nothingIsPlugged();
            case STATE -> {}
            case null -> {}
        }
        underWay = null;
    }

    private void setPlugged(boolean plugged) {
        blocks.set(first, count, plugged);
        tell(changes, first, count, plugged);
    }

    /**
     * Abandons the change under way, if any: no block changes its state. Memory allocated for a PLUG is emptied with all
     * other unplugged memory, before the queue runs again.
     */
    void abandon() {
        RequestType type = underWay;
        underWay = null;
        failure = null;
        if (type != null) {
            giveUp(type, first, count);
        }
    }

    /** Undoes a change in the map. */
    void giveUp(RequestType type, long firstBlock, long blockCount) {
        if (type == RequestType.PLUG || type == RequestType.UNPLUG) {
            boolean plugged = type == RequestType.UNPLUG;
            if (plugged) {
                guardNoMore(firstBlock, blockCount);
            } else {
                guard(firstBlock, blockCount);
            }
            blocks.set(firstBlock, blockCount, plugged);
            tell(changes, firstBlock, blockCount, plugged);
        } else if (type == RequestType.UNPLUG_ALL) {
            guardUnplugged();
        }
        last.forget();
    }

    /** All blocks were emptied, whatever the map says of them. */
    void nothingIsPlugged() {
        blocks.clear();
        tell(changes, 0, blocks.blocks(), false);
        kept.keepKnown();
    }

    /** From now on the map covers every plugged block. */
    void keepKnown() {
        if (!kept.isKnown()) {
            kept.keepKnown();
            feed.replay(this::replay);
        }
    }

    /**
     * A replay of the state of all blocks, if it is known. A driver that started before the device knew of it may have
     * plugged anything.
     */
    StateReplay replay() {
        return new StateReplay() {
            private long from;

            @Override
            public boolean next(PageFeed.Listener listener) {
                long all = kept.isKnown() ? blocks.blocks() : 0;
                long end = Math.min(all, from + PAGES_AT_ONCE);
                for (int told = 0; from < end && told < MESSAGES_AT_ONCE; told++) {
                    long run = from;
                    boolean plugged = blocks.next(run, end, true) == run;
                    from = blocks.next(run, end, !plugged);
                    tell(listener, run, from - run, plugged);
                }
                return from < all;
            }
        };
    }

    private void tell(PageFeed.Listener listener, long firstBlock, long blockCount, boolean plugged) {
        listener.pages(
                plugged ? PageFeed.Kind.PLUGGED : PageFeed.Kind.UNPLUGGED,
                0,
                plan.address() + firstBlock * plan.blockSize(),
                blockCount * plan.blockSize());
    }

    /** Forgets the last change. Otherwise a process that takes over would carry it out once more. */
    void forget() {
        last.forget();
        mayBeRepeated = false;
    }
}
