package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.pages.PageFeed;
import org.exomem.pages.StateReplay;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * Carries changes of blocks out, so that at whatever instant this process ends the one that takes over knows what the
 * driver has been told: {@link LastChange} is noted, then host memory changes, then the map, and then the driver is
 * answered.
 *
 * <p>A process that takes over finds a change that may have been carried out in part, and that the driver may have been
 * answered or not. It finishes it in the map. If the driver's first request then is the same once more, at the same place
 * of the used ring, it was not answered; the change is carried out again as if for the first time, so that it can still
 * fail. Otherwise it was answered, and host memory had changed before, or the driver is gone, and unplugged memory is
 * emptied for the next one.
 */
final class BlockChanges {
    private final KeptBlocks kept;
    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final BlockBacking backing;
    private final LastChange last;
    private final boolean preallocate;
    /** Made once: one for each request would be allocated on its way. */
    private final PageFeed.Listener changes;

    private final PageFeed feed;
    /** The first request after taking over may be the last one once more, for which the driver was not answered. */
    private boolean mayComeAgain;
    /** Where the request at hand will be answered. */
    private int position;

    /** @param feed is told of each change before the driver is answered */
    BlockChanges(KeptBlocks kept, boolean preallocate, PageFeed feed) {
        this.feed = feed;
        this.changes = feed::offer;
        this.kept = kept;
        this.plan = kept.plan();
        this.blocks = kept.map();
        this.backing = new BlockBacking(plan);
        this.last = kept.last();
        this.preallocate = preallocate;
        this.mayComeAgain = last.isValid();
        if (last.isValid()) {
            finishMap();
        }
    }

    private void finishMap() {
        if (last.type() == GuestRequest.UNPLUG_ALL) {
            blocks.clear();
        } else {
            blocks.set(last.first(), last.count(), last.type() == GuestRequest.PLUG);
        }
    }

    /** True if the blocks lie in memory that is shared, on pages no larger than a block. */
    boolean covers(GuestMemory memory, long first, long count) {
        return backing.covers(memory, first, count);
    }

    /** Why blocks of the region can't be used with this memory, for the operator; null if all can. */
    @Nullable
    String missing(GuestMemory memory) {
        return backing.missing(memory);
    }

    /**
     * To be asked once for each request, before anything else is done about it.
     *
     * @param at where in the used ring it will be answered: there the driver can't have an answer yet
     * @return true if it is the one that was begun before this process took over, and is to be carried out whatever the
     *     state of its blocks
     */
    boolean comesAgain(int type, long first, long count, int at) {
        boolean again = mayComeAgain && last.is(type, first, count, at);
        mayComeAgain = false;
        position = at;
        return again;
    }

    void plug(GuestMemory memory, long first, long count) throws LinuxException {
        last.note(GuestRequest.PLUG, first, count, position);
        if (preallocate) {
            try {
                backing.allocate(memory, first, count);
            } catch (LinuxException e) {
                blocks.set(first, count, false);
                last.forget();
                throw e;
            }
        }
        blocks.set(first, count, true);
        tell(changes, first, count, true);
    }

    void unplug(GuestMemory memory, long first, long count) throws LinuxException {
        last.note(GuestRequest.UNPLUG, first, count, position);
        try {
            backing.discard(memory, first, count);
        } catch (LinuxException e) {
            blocks.set(first, count, true);
            tell(changes, first, count, true);
            last.forget();
            throw e;
        }
        blocks.set(first, count, false);
        tell(changes, first, count, false);
    }

    /** Undoes in the map what was begun before this process took over, and can't be carried out now. */
    void giveUp(int type, long first, long count) {
        blocks.set(first, count, type == GuestRequest.UNPLUG);
        tell(changes, first, count, type == GuestRequest.UNPLUG);
        last.forget();
    }

    void unplugAll(GuestMemory memory) throws LinuxException {
        last.note(GuestRequest.UNPLUG_ALL, 0, 0, position);
        try {
            discardAll(memory);
        } catch (LinuxException e) {
            last.forget();
            throw e;
        }
        nothingIsPlugged();
    }

    /** All memory was emptied, whatever was known of it. */
    private void nothingIsPlugged() {
        blocks.clear();
        tell(changes, 0, blocks.blocks(), false);
        kept.keepKnown();
    }

    /** From now on the map is the whole truth. */
    void keepKnown() {
        if (!kept.isKnown()) {
            kept.keepKnown();
            feed.replay(this::replay);
        }
    }

    /** Of all blocks: the map may not know which were plugged. */
    private void discardAll(GuestMemory memory) throws LinuxException {
        backing.discard(memory, 0, plan.blocks());
    }

    /**
     * A replay of the state of all blocks, if it is known: a driver that the device does not know may have plugged anything.
     */
    StateReplay replay() {
        return new StateReplay() {
            private long from;

            @Override
            public boolean next(PageFeed.Listener listener) {
                long all = kept.isKnown() ? blocks.blocks() : 0;
                long end = Math.min(all, from + PAGES_AT_ONCE);
                for (int told = 0; from < end && told < MESSAGES_AT_ONCE; told++) {
                    long first = from;
                    boolean plugged = blocks.next(first, end, true) == first;
                    from = blocks.next(first, end, !plugged);
                    tell(listener, first, from - first, plugged);
                }
                return from < all;
            }
        };
    }

    private void tell(PageFeed.Listener listener, long first, long count, boolean plugged) {
        listener.pages(
                plugged ? PageFeed.Kind.PLUGGED : PageFeed.Kind.UNPLUGGED,
                0,
                plan.address() + first * plan.blockSize(),
                count * plan.blockSize());
    }

    /** No request was the last: or a process that takes over would carry that out once more. */
    void forget() {
        last.forget();
        mayComeAgain = false;
    }

    /** Unplugs everything without a request. */
    void reset(GuestMemory memory) throws LinuxException {
        forget();
        discardAll(memory);
        nothingIsPlugged();
    }

    /** Empties what is not plugged. */
    void discardUnplugged(GuestMemory memory) throws LinuxException {
        blocks.forEachRun(false, blocks.blocks(), (first, count) -> backing.discard(memory, first, count));
    }
}
