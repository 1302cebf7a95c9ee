package org.exomem.backend.vmm;

import java.nio.file.Path;

/**
 * A file with a part of a guest's RAM, which the VMM has mapped shared.
 *
 * @param id the VMM's name for it
 * @param path its path in the file system
 * @param size in bytes
 */
public record GuestRamFile(String id, Path path, long size) {}
