package org.exomem.migration.pagesource;

import java.io.IOException;
import org.exomem.migration.Fate;
import org.exomem.pages.PageBits;

/** Tells which pages need not travel. Belongs to the engine's thread; nothing here waits. */
public interface FreePageSource {
    /** Why not. */
    Fate fate();

    /**
     * True if the guest may use such a page again without a word, so that only a log of its writes, or the page's content,
     * tells whether it has. False if such a page stays as it is until the source tells otherwise or a sync adds the page.
     */
    default boolean isHint() {
        return false;
    }

    /** True if no more hints are to be expected that were asked for after the last {@link #synced}, as far as is known after {@link #collect}. */
    default boolean hintsHaveEnded() {
        return false;
    }

    /**
     * True if nothing may be left out for good by what it tells now: its pages are owed again at the next sync (MIG-SETTLE-1).
     */
    default boolean isGuess() {
        return false;
    }

    /**
     * The guest is paused, and the last sync follows: what is told from then on has to be certain (MIG-SETTLE-2). May be called again
     * when the guest has run on meanwhile.
     *
     * @return anything but {@link Settling#CERTAIN}: guesses go on
     * @throws IOException if memory can't be looked at
     */
    default Settling settle() throws IOException {
        return Settling.CERTAIN;
    }

    /** Guesses no more where {@link #settle} could not tell the last time. */
    default void guessLess() {}

    /**
     * All sources of dirtiness have been synced. Earlier hints no longer count; states, as that of a balloon, do as before.
     */
    void synced();

    /**
     * Adds what is free by all that is known now; may leave out what it added since the last {@link #synced}.
     *
     * @param free a set of all pages of the image
     * @param wanted the pages in question, of the same size; of others it may add any that are free, or none. Not changed
     * @return true if it may have added something
     * @throws IOException if memory can't be looked at
     */
    boolean collect(PageBits free, PageBits wanted) throws IOException;
}
