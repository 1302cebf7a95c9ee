package org.exomem.backend.vm;

import java.io.IOException;
import java.time.Duration;

/** A VMM's process whose writes to the guest's memory are watched (VMM-ACTIVE). For one thread at a time. */
public interface WatchedMemory extends AutoCloseable {
    /** The bytes that are watched. */
    long watched();

    /** How long the VMM's main thread was stopped in order to attach; zero if it was not. */
    Duration stopped();

    /**
     * Returns the bytes that were written since the last call, or since the watch began, in whole pages of 4096 bytes. Pages
     * that were given back to the host meanwhile do not count. Takes as long as the kernel needs to scan the process's page
     * tables.
     *
     * @throws IOException if the process can't be watched any more, with the reason
     */
    long written() throws IOException;

    /** Ends the watch, and removes everything of it from the VMM. */
    @Override
    void close();
}
