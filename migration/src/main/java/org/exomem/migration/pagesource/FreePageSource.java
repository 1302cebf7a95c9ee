package org.exomem.migration.pagesource;

import java.io.IOException;
import org.exomem.migration.Fate;
import org.exomem.pages.PageBits;

/** Tells which pages need not travel. Belongs to the engine's thread; nothing here waits. */
public interface FreePageSource {
    /** Why not. */
    Fate fate();

    /**
     * What was known of contents is the measure from now on: dirtiness was synced, completely. Only what a page turns out to
     * be after that counts, so all that was told before this call goes as hints.
     */
    void synced();

    /**
     * Adds what is free by all that is known now; may leave out what it added since the last {@link #synced}.
     *
     * @return true if it may have added something
     * @throws IOException if memory can't be looked at
     */
    boolean collect(PageBits free) throws IOException;
}
