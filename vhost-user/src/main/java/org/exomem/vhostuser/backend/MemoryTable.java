package org.exomem.vhostuser.backend;

import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Fd;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.RegionDescription;

/**
 * Applies the front-end's changes of guest memory (SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG). A request that breaks a rule
 * changes nothing. Removed regions stay mapped until {@link #releaseRemoved}, because a ring may be in them. On the VM's
 * event loop.
 */
final class MemoryTable {
    /** The most regions at once, as front-ends commonly expect (VHU-MEM-6). */
    static final int MAX_SLOTS = 509;

    /** The longest step of unmapping. */
    private static final long RELEASE_NANOS = 5_000_000;

    private final GuestMemory memory;
    private final long limit;
    private final Mapped shared;
    private final List<MemoryRegion> removed = new ArrayList<>();
    /** Regions that are prepared, and not used before the front-end has acknowledged them. */
    private final List<MemoryRegion> waiting = new ArrayList<>();
    /** True if these are a whole table. */
    private boolean replacing;

    /**
     * @param limit the most bytes that may be shared at once (VHU-MEM-12)
     * @param shared called for a region that is used at once, before it is used
     */
    MemoryTable(GuestMemory memory, long limit, Mapped shared) {
        this.memory = memory;
        this.limit = limit;
        this.shared = shared;
    }

    /**
     * Replaces all regions (VHU-MEM-1). The whole new table is mapped before any old region is removed.
     *
     * @throws LinuxException if a region can't be mapped
     */
    void set(List<RegionDescription> regions, List<Fd> files) throws LinuxException {
        removed.addAll(memory.exchange(mapAll(regions, files, shared)));
    }

    /** Called for a region that was mapped, before anything else is done with it. */
    @FunctionalInterface
    interface Mapped {
        void accept(MemoryRegion region) throws LinuxException;
    }

    private List<MemoryRegion> mapAll(List<RegionDescription> regions, List<Fd> files, Mapped each)
            throws LinuxException {
        requireRoom("SET_MEM_TABLE", removed.size() + regions.size(), 0, memory.size() + waitingBytes(), regions);
        // A separate table finds overlaps; on success it passes its regions on.
        GuestMemory table = new GuestMemory();
        List<MemoryRegion> mapped = new ArrayList<>();
        try {
            for (int i = 0; i < regions.size(); i++) {
                MemoryRegion region = map(regions.get(i), files.get(i), table, each);
                table.add(region);
                mapped.add(region);
            }
        } catch (LinuxException | FrontEndFault e) {
            table.close();
            throw e;
        }
        return mapped;
    }

    /**
     * Maps a new table, with which {@link #acknowledge} replaces the present one (VHU-PST-5).
     *
     * @return its regions, in the order of their descriptions
     * @throws LinuxException if a region can't be mapped
     */
    List<MemoryRegion> prepare(List<RegionDescription> regions, List<Fd> files, Mapped each) throws LinuxException {
        List<MemoryRegion> mapped = mapAll(regions, files, each);
        waiting.addAll(mapped);
        replacing = true;
        return mapped;
    }

    /**
     * Maps one more region, which {@link #acknowledge} adds (VHU-PST-5); others may be waiting for that.
     *
     * @throws LinuxException if it can't be mapped
     */
    MemoryRegion prepare(RegionDescription description, Fd file, Mapped each) throws LinuxException {
        List<MemoryRegion> before = new ArrayList<>(waiting);
        if (!replacing) {
            before.addAll(memory.regions());
        }
        GuestMemory table = new GuestMemory();
        before.forEach(table::add);
        requireRoom(
                "ADD_MEM_REG",
                removed.size() + before.size() + 1,
                table.size(),
                memory.size() + waitingBytes(),
                List.of(description));
        MemoryRegion region = map(description, file, table, each);
        waiting.add(region);
        return region;
    }

    /** True from {@link #prepare} to {@link #acknowledge}. */
    boolean isWaiting() {
        return !waiting.isEmpty();
    }

    /** True if the prepared regions are a whole table. */
    boolean isWaitingForTable() {
        return replacing;
    }

    /** Puts the prepared regions into use. */
    void acknowledge() {
        if (replacing) {
            removed.addAll(memory.exchange(waiting));
        } else {
            waiting.forEach(memory::add);
        }
        waiting.clear();
        replacing = false;
    }

    /**
     * Adds one region; the others do not change (VHU-MEM-2).
     *
     * @throws LinuxException if it can't be mapped
     */
    void add(RegionDescription region, Fd file) throws LinuxException {
        requireRoom(
                "ADD_MEM_REG",
                removed.size() + memory.regions().size() + 1,
                memory.size(),
                memory.size() + waitingBytes(),
                List.of(region));
        memory.add(map(region, file, memory, shared));
    }

    private long waitingBytes() {
        return bytes(waiting);
    }

    private static long bytes(List<MemoryRegion> regions) {
        return regions.stream().mapToLong(MemoryRegion::size).sum();
    }

    /**
     * Checks the limits. Regions that were removed and are still mapped count too, in number and in bytes: otherwise a
     * front-end could map more and more, and take the address space away from other VMs of the process. A whole table has
     * room beside the one that it replaces.
     *
     * @param regions the resulting number of regions
     * @param shared bytes of those that would be in use beside {@code more}
     * @param mapped bytes of all mapped regions but the removed ones
     */
    private void requireRoom(String request, int regions, long shared, long mapped, List<RegionDescription> more) {
        more.forEach(RegionDescription::check);
        // The sum of 509 sizes below 2^48 does not overflow.
        long added = more.stream().mapToLong(RegionDescription::size).sum();
        long size = shared + added;
        if (size > limit) {
            throw new FrontEndFault(request + " would share " + size + " bytes of memory; the limit for a VM is "
                    + limit + " bytes (max-memory)");
        }
        long kept = bytes(removed);
        if (kept + mapped + added - limit > limit) {
            throw new FrontEndFault(request + " would share " + size + " bytes of memory while " + (kept + mapped)
                    + " bytes are still mapped, " + kept
                    + " of them removed but still in use by a queue; both together may be at most twice the limit for"
                    + " a VM, which is "
                    + limit + " bytes (max-memory)");
        }
        if (regions > MAX_SLOTS) {
            throw new FrontEndFault(request + " would create " + regions + " memory regions, " + removed.size()
                    + " of them removed but still in use by a queue; there are " + MAX_SLOTS + " slots");
        }
    }

    /** Removes the region with the same guest address, user address and size; the mmap offset does not count (VHU-MEM-3). */
    void remove(RegionDescription region) {
        MemoryRegion found = memory.regions().stream()
                .filter(candidate -> candidate.guestAddress() == region.guestAddress()
                        && candidate.userAddress() == region.userAddress()
                        && candidate.size() == region.size())
                .findFirst()
                .orElseThrow(() -> new FrontEndFault("REM_MEM_REG names a region that does not exist: " + region));
        memory.detach(found);
        removed.add(found);
    }

    /** Removes all regions. */
    void clear() {
        removed.addAll(memory.exchange(List.of()));
        removed.addAll(waiting);
        waiting.clear();
    }

    /**
     * Unmaps removed regions, as many as there is time for: closing a region stops each thread for a moment, and there may
     * be hundreds.
     *
     * @return true if more are left
     */
    boolean releaseRemoved() {
        long end = System.nanoTime() + RELEASE_NANOS;
        while (!removed.isEmpty()) {
            removed.removeLast().close();
            if (System.nanoTime() - end >= 0) {
                break;
            }
        }
        return !removed.isEmpty();
    }

    /** VHU-MEM-5 */
    private static MemoryRegion map(RegionDescription region, Fd fd, GuestMemory table, Mapped each)
            throws LinuxException {
        MemoryRegion other = table.overlapping(region.guestAddress(), region.userAddress(), region.size());
        if (other != null) {
            throw new FrontEndFault("memory region " + region + " overlaps with " + other);
        }
        FileStatus status = FileStatus.of(fd);
        if (!status.isRegularFile()) {
            throw new FrontEndFault(
                    "memory region " + region + " came with a descriptor that is not a file: " + fd.description());
        }
        if (region.mmapOffset() > status.size() - region.size()) {
            throw new FrontEndFault("memory region " + region + " extends beyond the end of its file, which has 0x"
                    + Long.toHexString(status.size()) + " bytes");
        }
        MemoryRegion mapped = MemoryRegion.map(
                region.guestAddress(), region.size(), region.userAddress(), region.mmapOffset(), new SharedFile(fd));
        try {
            each.accept(mapped);
            return mapped;
        } catch (LinuxException | RuntimeException e) {
            mapped.close();
            throw e;
        }
    }
}
