package org.exomem.images.ram;

/**
 * A part of a VM's RAM in one file: one memory back-end of the VMM.
 *
 * @param name the VMM's id of the memory back-end
 * @param size in bytes
 */
public record RamBlock(String name, long size) {
    /** @throws IllegalArgumentException if no RAM file can have that name or size, see {@link RamFileName} */
    public RamBlock {
        RamFileName.check(0, size, name);
    }
}
