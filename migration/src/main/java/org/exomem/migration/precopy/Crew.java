package org.exomem.migration.precopy;

import java.io.IOException;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/** The workers. For the engine's thread. */
interface Crew extends AutoCloseable {
    /** What a worker does with a batch. */
    enum Work {
        LOOK,
        CARRY
    }

    /**
     * A batch that no worker has, or null if workers still have all of them after a short time.
     *
     * @throws IOException the first failure of a worker
     */
    @Nullable
    Batch free() throws IOException;

    /**
     * Gives a batch to a worker, which keeps it until it is free again.
     *
     * @throws IOException the first failure of a worker
     */
    void give(Batch batch, Work work) throws IOException;

    /**
     * True if no worker has a batch. Waits a short time for that.
     *
     * @throws IOException the first failure of a worker
     */
    boolean isIdle() throws IOException;

    /**
     * After a failure: waits until no sink is in use, takes back the pages that are not done, and starts afresh.
     *
     * @param pages to which these pages are added
     * @throws IOException if the thread is interrupted
     */
    void takeBack(PageBits pages) throws IOException;

    /** Ends the workers. A worker that hangs in its sink ends when the sink fails. */
    @Override
    void close();
}
