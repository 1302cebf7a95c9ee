package org.exomem.migration.precopy;

import java.util.List;
import org.exomem.migration.GuestPages;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FreePageSource;
import org.exomem.migration.pagesource.HintSessions;

/**
 * The guest that is to migrate. Everything here but the memory is used by the engine's thread only.
 *
 * @param memory its memory
 * @param dirty who tells what was written; together they tell of all writes
 * @param free who tells what need not travel, asked in this order
 * @param hints asks the guest for hints
 * @param control stops it
 */
public record MigrationSource(
        GuestPages memory,
        List<? extends DirtySource> dirty,
        List<? extends FreePageSource> free,
        HintSessions hints,
        GuestControl control) {
    /** True if some writes are not logged: only contents tell of them. */
    boolean isBlind() {
        return dirty.stream().anyMatch(DirtySource::isBlind);
    }
}
