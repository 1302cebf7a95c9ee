package org.exomem.vhostuser.backend;

import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Fd;
import org.exomem.linux.FileStatus;
import org.exomem.linux.HostRam;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.RegionDescription;

/**
 * Changes of guest memory as the front-end asks for them (SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG). A request that
 * breaks a rule leaves the memory as it was. What the front-end took away stays mapped until {@link #releaseRemoved}, as a
 * ring may lie in it.
 */
final class MemoryTable {
    /** How many regions there may be at once: what front-ends commonly expect. */
    static final int MAX_SLOTS = 509;

    /**
     * The most memory that may be shared, in bytes. A file may be as large as one likes and cost nothing, but what is
     * known of its pages costs heap; so a front-end can't share many times what the host has.
     */
    private static final long MOST_SHARED = 4 * HostRam.bytes();

    private final GuestMemory memory;
    private final List<MemoryRegion> removed = new ArrayList<>();

    MemoryTable(GuestMemory memory) {
        this.memory = memory;
    }

    /** Replaces all regions. All of the new table is built before any of the old goes. */
    void set(List<RegionDescription> regions, List<Fd> files) throws LinuxException {
        requireRoom("SET_MEM_TABLE", removed.size() + regions.size(), 0, regions);
        // A table of its own finds overlaps; on success it hands its regions on.
        GuestMemory table = new GuestMemory();
        List<MemoryRegion> mapped = new ArrayList<>();
        try {
            for (int i = 0; i < regions.size(); i++) {
                MemoryRegion region = map(regions.get(i), files.get(i), table);
                table.add(region);
                mapped.add(region);
            }
        } catch (LinuxException | FrontEndFault e) {
            table.close();
            throw e;
        }
        removed.addAll(memory.exchange(mapped));
    }

    void add(RegionDescription region, Fd file) throws LinuxException {
        requireRoom("ADD_MEM_REG", removed.size() + memory.regions().size() + 1, memory.size(), List.of(region));
        memory.add(map(region, file, memory));
    }

    /** Also what was removed and is still mapped counts: a front-end can't make it more and more. */
    private void requireRoom(String request, int regions, long shared, List<RegionDescription> more) {
        more.forEach(RegionDescription::check);
        // No sum of 509 sizes below 2^48 overflows.
        long size = shared + more.stream().mapToLong(RegionDescription::size).sum();
        if (size > MOST_SHARED) {
            throw new FrontEndFault(request + " would share " + size
                    + " bytes of memory; four times what the host has, " + MOST_SHARED + ", is the limit");
        }
        if (regions > MAX_SLOTS) {
            throw new FrontEndFault(request + " would make " + regions + " memory regions, " + removed.size()
                    + " of them removed but still in use by a queue; there are " + MAX_SLOTS + " slots");
        }
    }

    /** Removes the region with the same guest address, user address and size; the mmap offset doesn't matter. */
    void remove(RegionDescription region) {
        MemoryRegion found = memory.regions().stream()
                .filter(candidate -> candidate.guestAddress() == region.guestAddress()
                        && candidate.userAddress() == region.userAddress()
                        && candidate.size() == region.size())
                .findFirst()
                .orElseThrow(() -> new FrontEndFault("REM_MEM_REG names a region that is not there: " + region));
        memory.detach(found);
        removed.add(found);
    }

    /** Unmaps what the front-end took away. */
    void releaseRemoved() {
        removed.forEach(MemoryRegion::close);
        removed.clear();
    }

    private static MemoryRegion map(RegionDescription region, Fd fd, GuestMemory table) throws LinuxException {
        MemoryRegion other = table.overlapping(region.guestAddress(), region.userAddress(), region.size());
        if (other != null) {
            throw new FrontEndFault("memory region " + region + " overlaps with " + other);
        }
        FileStatus status = FileStatus.of(fd);
        if (!status.isRegularFile()) {
            throw new FrontEndFault(
                    "memory region " + region + " came with a descriptor that is no file: " + fd.description());
        }
        if (region.mmapOffset() > status.size() - region.size()) {
            throw new FrontEndFault("memory region " + region + " reaches beyond the end of its file, which has 0x"
                    + Long.toHexString(status.size()) + " bytes");
        }
        return MemoryRegion.map(
                region.guestAddress(), region.size(), region.userAddress(), region.mmapOffset(), new SharedFile(fd));
    }
}
