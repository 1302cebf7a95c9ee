package org.exomem.migration.precopy;

import java.io.IOException;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/** The workers. Used by the engine's thread. */
interface Crew extends AutoCloseable {
    /** What is to be done with a batch. */
    enum Work {
        LOOK,
        CARRY
    }

    /**
     * A batch that nobody has in hand, or null if all are in hand, still after a short time.
     *
     * @throws IOException the first failure of a worker
     */
    @Nullable
    Batch free() throws IOException;

    /** Gives a batch to a worker, which has it in hand until it is free again. */
    void give(Batch batch, Work work) throws IOException;

    /**
     * True if no worker has anything in hand, false if that is not so, still after a short time.
     *
     * @throws IOException the first failure of a worker
     */
    boolean isIdle() throws IOException;

    /**
     * After a failure: waits until nobody uses a sink, takes back what was given and not carried out, and begins anew.
     *
     * @param pages to which these pages are added
     */
    void takeBack(PageBits pages) throws IOException;

    /** Lets workers go; one that hangs in its sink goes when that fails. */
    @Override
    void close();
}
