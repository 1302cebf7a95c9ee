package org.exomem.migration.pagesource;

import java.io.IOException;
import org.exomem.migration.Fate;
import org.exomem.pages.PageBits;

/** A source of pages that need not be sent. Used by the engine's thread only. No method waits. */
public interface FreePageSource {
    /** The fate of these pages. */
    Fate fate();

    /**
     * True if the guest may use such a page again without a message, so that only a log of its writes, or the page's
     * content, shows it. False if such a page remains free until the source reports otherwise or a sync adds the page.
     */
    default boolean isHint() {
        return false;
    }

    /**
     * True if no more hints are expected of those that were requested after the last {@link #synced}, as known after {@link
     * #collect}.
     */
    default boolean hintsHaveEnded() {
        return false;
    }

    /** True if the source's present knowledge is not certain: its pages are owed again at the next sync (MIG-SETTLE-1). */
    default boolean isGuess() {
        return false;
    }

    /**
     * The guest is paused, and the last sync follows: the source's pages must be certain from then on (MIG-SETTLE-2). Called
     * again if the guest has run meanwhile.
     *
     * @return for anything but {@link Settling#CERTAIN}, guesses go on
     * @throws IOException if memory can't be read
     */
    default Settling settle() throws IOException {
        return Settling.CERTAIN;
    }

    /** Ends the guesses that the last {@link #settle} could not make certain. */
    default void guessLess() {}

    /**
     * All sources of written pages have been synced. Earlier hints no longer count. States, such as that of a balloon, still
     * do.
     */
    void synced();

    /**
     * Adds the pages that are free as known now. May leave out pages that it has added since the last {@link #synced}.
     *
     * @param free a set of all pages of the image
     * @param wanted the pages in question, of the same size; not changed; of other pages, any free ones may be added or none
     * @return true if it may have added pages
     * @throws IOException if memory can't be read
     */
    boolean collect(PageBits free, PageBits wanted) throws IOException;
}
