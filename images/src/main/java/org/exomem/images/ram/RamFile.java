package org.exomem.images.ram;

import java.nio.file.Path;
import org.exomem.linux.FileStatus;

/**
 * A RAM file in a folder.
 *
 * @param status as it was found
 */
public record RamFile(RamFileName name, Path path, FileStatus status) {
    /** Bytes that it occupies, in memory or on disk, without holes. */
    public long dataBytes() {
        return Math.min(status.allocatedBytes(), status.size());
    }

    /** Bytes that are holes: they are zeros and take no space. */
    public long holeBytes() {
        return status.size() - dataBytes();
    }
}
