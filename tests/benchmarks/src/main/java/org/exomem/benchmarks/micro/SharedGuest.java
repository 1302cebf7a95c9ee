package org.exomem.benchmarks.micro;

import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/** A guest's memory from both sides in one process: as the driver writes it, and as the back-end maps it. */
final class SharedGuest implements AutoCloseable {
    private static final long BYTES = 64L << 20;

    private final GuestRam ram;
    private final GuestMemory memory = new GuestMemory();

    SharedGuest() throws LinuxException {
        ram = GuestRam.ofSize(BYTES);
        memory.add(
                MemoryRegion.map(0, BYTES, 0, 0, new SharedFile(ram.file().fd().duplicate())));
    }

    GuestRam ram() {
        return ram;
    }

    GuestMemory memory() {
        return memory;
    }

    @Override
    public void close() {
        memory.close();
        ram.close();
    }
}
