package org.exomem.backend.vm;

import java.util.List;

/**
 * The memory that a VM's front-end shares, for use outside of the VM's event loop.
 *
 * @param parts in ascending order of guest addresses, with descriptors of their own; closed with this
 */
public record MemoryParts(List<VmmProcesses.Part> parts) implements AutoCloseable {
    public MemoryParts {
        parts = List.copyOf(parts);
    }

    @Override
    public void close() {
        parts.forEach(VmmProcesses.Part::close);
    }
}
