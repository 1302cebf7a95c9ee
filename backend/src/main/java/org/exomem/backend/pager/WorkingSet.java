package org.exomem.backend.pager;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.exomem.migration.pager.Pager;
import org.exomem.pages.PageBits;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pages that a guest needs first when it runs from an image: known from the times before, and learnt each time (PGR-SET-1). Only a guide:
 * what can't be read or written is told in the log, and the guest runs without. For one thread.
 */
final class WorkingSet {
    /** For so long touches are noted. */
    static final Duration DURATION = Duration.ofSeconds(10);

    /** What the background brings is not seen to be touched: for so long it brings nothing where nothing is known. */
    private static final Duration LEARNING = Duration.ofSeconds(1);

    private static final Logger LOG = LoggerFactory.getLogger(WorkingSet.class);

    private final SavedMemory saved;
    private final WorkingSetFile file;
    private final Optional<PageBits> known;

    /** @param pages that the image has */
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

    /** What to bring before anybody waits for it: what is known from before, then the rest. */
    Pager.Prefetch prefetch() {
        return new Pager.Prefetch(known, known.isPresent() ? Duration.ZERO : LEARNING);
    }

    /** What was touched goes into the file beside what is there: what is brought first is not seen to be touched. */
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
