package org.exomem.backend.vmm;

import java.nio.file.Path;

/**
 * Where a VMM keeps its log of writes.
 *
 * @param size bytes of the log
 */
public record DirtyLogFile(Path path, long size) {}
