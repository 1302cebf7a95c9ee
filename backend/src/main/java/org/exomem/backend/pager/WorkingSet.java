package org.exomem.backend.pager;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.exomem.migration.pager.Pager;
import org.exomem.pages.PageBits;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pages that a guest needs first when it runs from an image. They are known from earlier runs, and learnt in each run
 * (PGR-SET-1). They are only a guide: a failure to read or write them is logged, and the guest runs without. For one thread.
 */
final class WorkingSet {
    /** The time during which touches are recorded. */
    static final Duration DURATION = Duration.ofSeconds(10);

    /**
     * A page that arrives in the background is not seen to be touched. So, without a known set, the background begins after
     * this time.
     */
    private static final Duration LEARNING = Duration.ofSeconds(1);

    private static final Logger LOG = LoggerFactory.getLogger(WorkingSet.class);

    private final SavedMemory saved;
    private final WorkingSetFile file;
    private final Optional<PageBits> known;

    /** @param pages the number of pages of the image */
    WorkingSet(SavedMemory saved, long pages) {
        this.saved = saved;
        this.file = WorkingSetFile.of(saved.image().folder());
        Optional<PageBits> found = Optional.empty();
        try {
            found = file.read(saved.digest(), pages);
        } catch (IOException e) {
            LOG.warn("{}", e.getMessage());
        }
        this.known = found;
    }

    /** What arrives in the background: first the known set, then the rest. */
    Pager.Prefetch prefetch() {
        return new Pager.Prefetch(known, known.isPresent() ? Duration.ZERO : LEARNING);
    }

    /**
     * Adds touched pages to the set in the file. The pages of the old set stay in it, because prefetched pages are not seen
     * to be touched.
     */
    void add(PageBits touched) {
        if (touched.isEmpty()) {
            return;
        }
        if (known.isPresent()) {
            PageBits news = new PageBits(touched.pages());
            news.copyOf(touched);
            news.andNot(known.get());
            if (news.isEmpty()) {
                return;
            }
            touched.or(known.get());
        }
        try {
            file.write(saved.digest(), touched);
        } catch (IOException e) {
            LOG.info("{}", e.getMessage());
        }
    }
}
