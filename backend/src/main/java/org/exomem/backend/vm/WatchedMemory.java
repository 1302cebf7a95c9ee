package org.exomem.backend.vm;

import java.io.IOException;
import java.time.Duration;

/** A VMM's process that is watched for what it writes to the guest's memory (VMM-ACTIVE). For one thread at a time. */
public interface WatchedMemory extends AutoCloseable {
    /** Bytes that are watched. */
    long watched();

    /** How long the VMM's main thread stood still to be attached to; zero if nothing had to stand still. */
    Duration stopped();

    /**
     * Bytes that were written since the last call, in whole pages; since the watch began if there was none. What was given back
     * to the host meanwhile does not count. Takes as long as the kernel needs to look at the process's page tables.
     *
     * @throws IOException if it can't be watched any more, saying why
     */
    long written() throws IOException;

    /** Nothing of the watch is left in the VMM afterwards. */
    @Override
    void close();
}
