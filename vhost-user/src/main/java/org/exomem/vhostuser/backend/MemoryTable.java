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
 * Changes of guest memory as the front-end asks for them (SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG). A request that
 * breaks a rule leaves the memory as it was. What the front-end took away stays mapped until {@link #releaseRemoved}, as a
 * ring may lie in it.
 */
final class MemoryTable {
    /** How many regions there may be at once: what front-ends commonly expect (VHU-MEM-6). */
    static final int MAX_SLOTS = 509;

    /** How long one step may unmap. */
    private static final long RELEASE_NANOS = 5_000_000;

    private final GuestMemory memory;
    private final long limit;
    private final Mapped shared;
    private final List<MemoryRegion> removed = new ArrayList<>();
    /** What was prepared and is not in use before the front-end has acknowledged it. */
    private final List<MemoryRegion> waiting = new ArrayList<>();
    /** It is a whole table. */
    private boolean replacing;

    /**
     * @param limit the most bytes that may be shared at once (VHU-MEM-12)
     * @param shared is told of a region that is to be used at once, before it is
     */
    MemoryTable(GuestMemory memory, long limit, Mapped shared) {
        this.memory = memory;
        this.limit = limit;
        this.shared = shared;
    }

    /** Replaces all regions (VHU-MEM-1). All of the new table is built before any of the old goes. */
    void set(List<RegionDescription> regions, List<Fd> files) throws LinuxException {
        removed.addAll(memory.exchange(mapAll(regions, files, shared)));
    }

    /** Is told of a region that was mapped, before anything else is done with it. */
    @FunctionalInterface
    interface Mapped {
        void accept(MemoryRegion region) throws LinuxException;
    }

    private List<MemoryRegion> mapAll(List<RegionDescription> regions, List<Fd> files, Mapped each)
            throws LinuxException {
        requireRoom("SET_MEM_TABLE", removed.size() + regions.size(), 0, memory.size() + waitingBytes(), regions);
        // A table of its own finds overlaps; on success it hands its regions on.
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
     * Maps a new table, which {@link #acknowledge} puts in the place of the one that is there (VHU-PST-5).
     *
     * @return its regions, in the order in which they were described
     */
    List<MemoryRegion> prepare(List<RegionDescription> regions, List<Fd> files, Mapped each) throws LinuxException {
        List<MemoryRegion> mapped = mapAll(regions, files, each);
        waiting.addAll(mapped);
        replacing = true;
        return mapped;
    }

    /** Maps one region more, which {@link #acknowledge} adds (VHU-PST-5); others may be waiting for that. */
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

    /** True if what {@link #isWaiting} is a whole table. */
    boolean isWaitingForTable() {
        return replacing;
    }

    /** Puts what was prepared into use. */
    void acknowledge() {
        if (replacing) {
            removed.addAll(memory.exchange(waiting));
        } else {
            waiting.forEach(memory::add);
        }
        waiting.clear();
        replacing = false;
    }

    /** Adds one region and leaves the others alone (VHU-MEM-2). */
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
     * Also what was removed and is still mapped counts, in number and in bytes: a front-end can't make it more and more, and so
     * take the address space away from the other VMs of the process. A whole table has room beside the one that it replaces.
     *
     * @param regions how many there would be
     * @param shared bytes of those that would be in use beside {@code more}
     * @param mapped bytes of all that is mapped now, but what was removed
     */
    private void requireRoom(String request, int regions, long shared, long mapped, List<RegionDescription> more) {
        more.forEach(RegionDescription::check);
        // No sum of some 509 sizes below 2^48 overflows.
        long added = more.stream().mapToLong(RegionDescription::size).sum();
        long size = shared + added;
        if (size > limit) {
            throw new FrontEndFault(request + " would share " + size + " bytes of memory; the limit for a VM is "
                    + limit + " bytes, and can be set where this process is started");
        }
        long kept = bytes(removed);
        if (kept + mapped + added - limit > limit) {
            throw new FrontEndFault(request + " would share " + size + " bytes of memory while " + (kept + mapped)
                    + " bytes are still mapped, " + kept + " of them removed but still in use by a queue; both together"
                    + " may be twice the limit for a VM, which is " + limit + " bytes");
        }
        if (regions > MAX_SLOTS) {
            throw new FrontEndFault(request + " would make " + regions + " memory regions, " + removed.size()
                    + " of them removed but still in use by a queue; there are " + MAX_SLOTS + " slots");
        }
    }

    /** Removes the region with the same guest address, user address and size; the mmap offset doesn't matter (VHU-MEM-3). */
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

    /** Takes away everything that is shared. */
    void clear() {
        removed.addAll(memory.exchange(List.of()));
        removed.addAll(waiting);
        waiting.clear();
    }

    /**
     * Unmaps what the front-end took away, as much as there is time for: to close a region stops each thread for a moment,
     * and there may be hundreds of them.
     *
     * @return true if more is left
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
                    "memory region " + region + " came with a descriptor that is no file: " + fd.description());
        }
        if (region.mmapOffset() > status.size() - region.size()) {
            throw new FrontEndFault("memory region " + region + " reaches beyond the end of its file, which has 0x"
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
