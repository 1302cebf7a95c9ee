package org.exomem.mem;

import org.exomem.vhostuser.linux.LinuxException;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * Carries changes of blocks out, so that at whatever instant this process ends the one that takes over knows what the
 * driver has been told: {@link LastChange} is noted, then host memory changes, then the map, and then the driver is
 * answered.
 */
final class BlockChanges {
    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final BlockBacking backing;
    private final LastChange last;
    private final boolean preallocate;
    /** The first change after taking over may be the last one once more, for which the driver was not answered. */
    private boolean mayComeAgain;

    private boolean unfinished;

    BlockChanges(MemoryRegionPlan plan, BlockMap blocks, LastChange last, boolean preallocate) {
        this.plan = plan;
        this.blocks = blocks;
        this.backing = new BlockBacking(plan);
        this.last = last;
        this.preallocate = preallocate;
        this.mayComeAgain = last.isValid();
        this.unfinished = last.isValid();
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

    /** Finishes what the process before this one may have begun. */
    void takeOver(GuestMemory memory) throws LinuxException {
        if (!unfinished) {
            return;
        }
        long first = (last.address() - plan.address()) / plan.blockSize();
        switch (last.type()) {
            case GuestRequest.PLUG -> blocks.set(first, last.blocks(), true);
            case GuestRequest.UNPLUG -> {
                backing.discard(memory, first, last.blocks());
                blocks.set(first, last.blocks(), false);
            }
            case GuestRequest.UNPLUG_ALL -> discardAll(memory);
            default -> throw new IllegalStateException("a change of type " + last.type() + " was noted");
        }
        unfinished = false;
    }

    /** True once if the request is the one that was carried out before this process took over, and is to be answered. */
    boolean wasCarriedOut(GuestRequest request) {
        boolean again = mayComeAgain && last.is(request);
        mayComeAgain = false;
        return again;
    }

    void plug(GuestMemory memory, GuestRequest request, long first) throws LinuxException {
        last.note(request);
        if (preallocate) {
            try {
                backing.allocate(memory, first, request.blocks());
            } catch (LinuxException e) {
                last.forget();
                throw e;
            }
        }
        blocks.set(first, request.blocks(), true);
    }

    void unplug(GuestMemory memory, GuestRequest request, long first) throws LinuxException {
        last.note(request);
        try {
            backing.discard(memory, first, request.blocks());
        } catch (LinuxException e) {
            last.forget();
            throw e;
        }
        blocks.set(first, request.blocks(), false);
    }

    void unplugAll(GuestMemory memory, GuestRequest request) throws LinuxException {
        last.note(request);
        try {
            discardAll(memory);
        } catch (LinuxException e) {
            last.forget();
            throw e;
        }
    }

    /** Unplugs everything without a request. */
    void discardAll(GuestMemory memory) throws LinuxException {
        blocks.forEachRun(true, blocks.blocks(), (first, count) -> {
            if (backing.covers(memory, first, count)) {
                backing.discard(memory, first, count);
            }
        });
        blocks.clear();
    }

    /** Empties what is not plugged, for a guest that starts: its VMM may have filled memory beforehand. */
    void discardUnplugged(GuestMemory memory) throws LinuxException {
        blocks.forEachRun(false, blocks.blocks(), (first, count) -> {
            if (backing.covers(memory, first, count)) {
                backing.discard(memory, first, count);
            }
        });
    }
}
