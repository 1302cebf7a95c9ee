package org.exomem.backend.vm;

import java.io.IOException;
import java.util.List;
import org.exomem.linux.process.SharedInPlace;

/**
 * Has a clone's VMM share pages of the guest's memory one by one. Each method is for one thread at a time, and does not wait for the other: a VMM that
 * stops its guest for {@link #share} may wait for its device, and that for {@link #giveBack}.
 */
public interface PageSharing extends AutoCloseable {
    /**
     * Shares pages; returns when the VMM and all that have the clone's file mapped see the same. Those that are shared already stay as they are.
     * The guest may be stopped meanwhile (IMG-CLONE-11). Waits for the VMM: not for a loop.
     *
     * @param ranges by their addresses in the VMM
     * @throws IOException if that could not be done, saying why; some may be shared
     */
    void share(List<SharedInPlace.Range> ranges) throws IOException;

    /**
     * Gives memory back to the host that the VMM has for itself alone; what is in the pages afterwards is not defined. Waits for the VMM.
     *
     * @throws IOException if that could not be done, saying why
     */
    void giveBack(List<SharedInPlace.Range> ranges) throws IOException;

    /** Nothing of it is left in the VMM afterwards, but that what is shared stays so. */
    @Override
    void close();
}
