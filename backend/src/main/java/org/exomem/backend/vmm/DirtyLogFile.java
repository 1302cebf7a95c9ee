package org.exomem.backend.vmm;

import java.nio.file.Path;

/**
 * The file of a VMM's log of writes.
 *
 * @param size of the log, in bytes
 */
public record DirtyLogFile(Path path, long size) {}
