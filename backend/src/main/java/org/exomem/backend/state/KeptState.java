package org.exomem.backend.state;

/**
 * A device's state in a file. This process has exclusive use of the file until it is closed. The device must have ended by
 * then.
 */
public sealed interface KeptState extends AutoCloseable permits BalloonStateFile, MemoryStateFile {
    /** Releases the file to other processes. */
    @Override
    void close();
}
