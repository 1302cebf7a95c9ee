package org.exomem.migration.stream.destination;

import java.util.concurrent.atomic.LongAdder;
import org.exomem.migration.stream.format.ChunkType;

/** The numbers of pages that were received, by kind. Safe for use by several threads. */
final class PageCounts {
    private final LongAdder pages = new LongAdder();
    private final LongAdder zeros = new LongAdder();
    private final LongAdder free = new LongAdder();

    void add(ChunkType type, long count) {
        switch (type) {
            case PAGES -> pages.add(count);
            case ZEROS -> zeros.add(count);
            default -> free.add(count);
        }
    }

    long pages() {
        return pages.sum();
    }

    long zeros() {
        return zeros.sum();
    }

    long free() {
        return free.sum();
    }
}
