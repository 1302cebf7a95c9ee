package org.exomem.backend.vmm;

import java.nio.file.Path;

/**
 * A file that is a part of a guest's RAM, which the VMM has mapped shared.
 *
 * @param id the VMM's name for it
 * @param path where it is in the file system
 * @param size bytes
 */
public record GuestRamFile(String id, Path path, long size) {}
