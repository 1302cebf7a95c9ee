package org.exomem.images.ram;

import java.nio.file.Path;
import org.exomem.linux.FileStatus;

/**
 * A RAM file that is in a folder.
 *
 * @param status what was found of it
 */
public record RamFile(RamFileName name, Path path, FileStatus status) {
    /** Bytes that it occupies, in memory or on disk; what is a hole is not among them. */
    public long dataBytes() {
        return Math.min(status.allocatedBytes(), status.size());
    }

    /** Bytes that are holes: they read as zeros and cost nothing. */
    public long holeBytes() {
        return status.size() - dataBytes();
    }
}
