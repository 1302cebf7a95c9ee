package org.exomem.migration.precopy;

import java.util.List;
import org.exomem.migration.Chance;
import org.exomem.pages.PageDescriptors;

/**
 * The memory management of a {@link World}'s guest. It takes and frees blocks of pages, and keeps records of that in
 * guest memory, which it changes in several steps under a lock. The records can be read as {@link PageDescriptors}:
 * after the guest's other pages there is one page for each of them with its descriptor, and one with the guards.
 */
final class Allocator {
    private static final int MOST_ORDER = 2;
    private static final int MARK = 0x80;
    private static final int ALIVE = 77;

    /** The next action with the present block. */
    private enum Doing {
        NOTHING,
        FREES,
        TAKES,
        UNLOCKS
    }

    private final World world;
    private final Chance chance;
    private final Mutant mutant;
    private final int pages;

    private Doing doing = Doing.NOTHING;
    private int first;
    private int order;
    private boolean marked;
    private boolean ordered;
    private boolean alive = true;

    /** @param pages the number of the world's pages that it manages, from the first one on */
    Allocator(World world, Chance chance, Mutant mutant, int pages) {
        this.world = world;
        this.chance = chance;
        this.mutant = mutant;
        this.pages = pages;
        for (int p = 0; p < pages; p++) {
            // Old content of the descriptor has no meaning without a mark.
            world.set(descriptor(p), 0, chance.below(MOST_ORDER + 2) << 8);
        }
        world.set(guards(), 0, 0);
        world.set(guards(), 1, ALIVE);
    }

    /** The number of pages of a world whose allocator manages so many. */
    static int pagesFor(int pages) {
        return 2 * pages + 1;
    }

    private int descriptor(int page) {
        return pages + page;
    }

    private int guards() {
        return 2 * pages;
    }

    List<PageDescriptors> descriptors() {
        long guards = guards() * World.PAGE;
        return List.of(new PageDescriptors(
                12,
                MOST_ORDER,
                (int) World.PAGE,
                0,
                1,
                0xFF,
                MARK,
                List.of(
                        new PageDescriptors.Guard(guards, -1, 0),
                        new PageDescriptors.Guard(guards + Long.BYTES, -1, ALIVE)),
                List.of(new PageDescriptors.Range(0, pages, pages * World.PAGE, 3))));
    }

    /** Makes one store, or one decision. */
    void step() {
        switch (doing) {
            case NOTHING -> begin();
            case FREES -> {
                if (markOrOrder(MARK, order)) {
                    doing = Doing.UNLOCKS;
                }
            }
            case TAKES -> {
                if (markOrOrder(0, chance.below(MOST_ORDER + 2))) {
                    world.take(first, 1 << order);
                    doing = Doing.UNLOCKS;
                }
            }
            case UNLOCKS -> {
                world.set(guards(), 0, 0);
                doing = Doing.NOTHING;
            }
        }
    }

    private void begin() {
        if (chance.oneIn(64)) {
            moveAway();
            return;
        }
        int page = chance.below(pages);
        order = chance.below(MOST_ORDER + 1);
        first = page >> order << order;
        if (first + (1 << order) > pages || !alive) {
            return;
        }
        if (world.isFree(page)) {
            first = page;
            while (mark(first) != MARK) {
                first--;
            }
            order = order(first);
            world.set(guards(), 0, 1);
            doing = Doing.TAKES;
        } else if (world.giveUp(first, 1 << order)) {
            // The pages are unused, and then the lock is taken.
            world.set(guards(), 0, 1);
            doing = Doing.FREES;
        }
        marked = false;
        ordered = false;
    }

    /** Makes one of the two stores, in the order that the compiler chooses. Returns true when both are done. */
    private boolean markOrOrder(int mark, int newOrder) {
        if (!marked && (ordered || chance.oneIn(2))) {
            world.set(descriptor(first), 0, mark | order(first) << 8);
            marked = true;
        } else {
            world.set(descriptor(first), 0, mark(first) | newOrder << 8);
            ordered = true;
        }
        return marked && ordered;
    }

    private int mark(int page) {
        return (int) world.get(descriptor(page), 0) & 0xFF;
    }

    private int order(int page) {
        return (int) (world.get(descriptor(page), 0) >> 8) & 0xFF;
    }

    /** The descriptors move to another place, and their old place gets other content. */
    private void moveAway() {
        if (alive) {
            alive = false;
            if (mutant != Mutant.GUARD_NOT_CHANGED) {
                world.set(guards(), 1, 0);
            }
        } else {
            world.set(descriptor(chance.below(pages)), 0, MARK | chance.below(MOST_ORDER + 1) << 8);
        }
    }
}
