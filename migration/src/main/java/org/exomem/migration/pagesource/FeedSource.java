package org.exomem.migration.pagesource;

import org.exomem.migration.Fate;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.FreePageRules;
import org.exomem.pages.FreePages;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.RunVisitor;

/**
 * Pages that a VM's devices report as free for one reason, by the rules of {@link FreePageRules}. For the engine's thread.
 */
public final class FeedSource implements FreePageSource {
    private final FreeReason reason;
    private final FreePageRules rules;
    private final PageBits known;
    /** True if {@link #known} may have pages that were not collected since the last sync. */
    private boolean due;

    /**
     * @param reason the only reason that counts
     * @param messages at least of the reason's {@linkplain FreeReason#kinds kinds}, from the beginning of the subscription;
     *     remains the caller's
     * @param map the guest addresses of the image
     * @param pages the number of pages of the image
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
            // A hint excuses its page once: it says nothing after another sync that adds the page.
            known.clear();
        }
        return true;
    }

    private final class Known implements FreePages {
        private final AddressMap map;
        // Made once, so that a message allocates nothing.
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
