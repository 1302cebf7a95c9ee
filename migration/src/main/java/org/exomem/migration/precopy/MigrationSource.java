package org.exomem.migration.precopy;

import java.util.List;
import org.exomem.migration.GuestPages;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FreePageSource;
import org.exomem.migration.pagesource.HintSessions;

/**
 * The guest to migrate. All parts but the memory are used by the engine's thread only.
 *
 * @param memory its memory
 * @param dirty the sources of written pages; together they report all writes
 * @param free the sources of free pages, asked in this order
 * @param hints asks the guest for hints
 * @param control pauses the guest
 */
public record MigrationSource(
        GuestPages memory,
        List<? extends DirtySource> dirty,
        List<? extends FreePageSource> free,
        HintSessions hints,
        GuestControl control) {
    /** True if some writes are not logged, so that only contents show them. */
    boolean isBlind() {
        return dirty.stream().anyMatch(DirtySource::isBlind);
    }
}
