package org.exomem.backend.vm;

import java.io.IOException;
import java.util.List;
import org.exomem.linux.process.SharedInPlace;

/**
 * Makes a clone's VMM share single pages of the guest's memory. Each method is for one thread at a time. The two methods
 * don't wait for each other: a VMM that stops its guest for {@link #share} may wait for its device, which may wait for
 * {@link #giveBack}.
 */
public interface PageSharing extends AutoCloseable {
    /**
     * Shares pages. Returns when the VMM and all processes that have the clone's file mapped see the same pages. Pages that
     * are shared already do not change. The guest may be stopped meanwhile (IMG-CLONE-11). Waits for the VMM: not for event
     * loops.
     *
     * @param ranges by their addresses in the VMM
     * @throws IOException if that fails, with the reason; some pages may be shared
     */
    void share(List<SharedInPlace.Range> ranges) throws IOException;

    /**
     * Frees memory that is private to the VMM. The content of the pages is undefined afterwards. Waits for the VMM: not for
     * event loops.
     *
     * @throws IOException if that fails, with the reason
     */
    void giveBack(List<SharedInPlace.Range> ranges) throws IOException;

    /** Removes everything of this from the VMM. Shared pages stay shared. */
    @Override
    void close();
}
