package org.exomem.migration.pagesource;

import org.exomem.migration.Fate;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.FreePageRules;
import org.exomem.pages.FreePages;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.RunVisitor;

/** Pages that a VM's devices tell to be free for one reason, by the rules of {@link FreePageRules}. */
public final class FeedSource implements FreePageSource {
    private final FreeReason reason;
    private final FreePageRules rules;
    private final PageBits known;
    /** There is something in {@link #known} that may not have been collected since the last sync. */
    private boolean due;

    /**
     * @param reason only this one counts
     * @param messages of the reason's {@linkplain FreeReason#kinds kinds} at least, from the beginning of the subscription on;
     *     stays the caller's
     * @param map where guest addresses are in the image
     * @param pages of the image
     */
    public FeedSource(FreeReason reason, PageSubscription messages, AddressMap map, long pages) {
        this.reason = reason;
        this.rules = new FreePageRules(messages, new Known(map));
        this.known = new PageBits(pages);
    }

    @Override
    public Fate fate() {
        return switch (reason) {
            case HINTED -> Fate.HINTED;
            case BALLOON -> Fate.BALLOON;
            case UNPLUGGED -> Fate.UNPLUGGED;
        };
    }

    @Override
    public boolean isHint() {
        return reason == FreeReason.HINTED;
    }

    @Override
    public boolean hintsHaveEnded() {
        return isHint() && rules.hintsHaveEnded();
    }

    @Override
    public void synced() {
        rules.synced();
        due = !isHint();
    }

    @Override
    public boolean collect(PageBits free, PageBits wanted) {
        rules.take();
        if (!due) {
            return false;
        }
        due = false;
        free.or(known);
        if (isHint()) {
            // A hint excuses its page once: after another sync that adds the page it says nothing.
            known.clear();
        }
        return true;
    }

    private final class Known implements FreePages {
        private final AddressMap map;
        // Made once: one for each message would be allocated on its way.
        private final RunVisitor<RuntimeException> add = this::add;
        private final RunVisitor<RuntimeException> remove = this::remove;

        Known(AddressMap map) {
            this.map = map;
        }

        private void add(long first, long count) {
            known.add(first, count);
            due = true;
        }

        private void remove(long first, long count) {
            known.remove(first, count);
        }

        @Override
        public void free(FreeReason why, long address, long length) {
            if (why == reason) {
                map.forEachRun(address, length, add);
            }
        }

        @Override
        public void used(FreeReason why, long address, long length) {
            if (why == reason) {
                map.forEachTouched(address, length, remove);
            }
        }

        @Override
        public void forget(FreeReason why) {
            if (why == reason) {
                known.clear();
                due = false;
            }
        }
    }
}
