package org.exomem.backend.state;

/** A device's state in a file, which this process has to itself until it is closed; the device must be gone by then. */
public sealed interface KeptState extends AutoCloseable permits BalloonStateFile, MemoryStateFile {
    /** Lets another process have the file. */
    @Override
    void close();
}
