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
     * A batch that no worker has, or null if after a short time all are still with workers.
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
     * After a failure: waits until no sink is in use, takes back what was not carried out, and begins anew.
     *
     * @param pages to which these pages are added
     */
    void takeBack(PageBits pages) throws IOException;

    /** Lets workers go; one that hangs in its sink goes when that fails. */
    @Override
    void close();
}
