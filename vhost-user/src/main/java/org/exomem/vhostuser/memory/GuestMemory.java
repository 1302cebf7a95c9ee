package org.exomem.vhostuser.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory that a front-end shares for one device: regions in the order of their guest addresses, none overlapping. Used
 * on the VM's event loop; only {@link MemoryRegion#segment} may be used elsewhere.
 */
public final class GuestMemory implements AutoCloseable {
    private static final MemoryRegion[] NONE = {};

    private MemoryRegion[] regions = NONE;
    private int lastHit;
    private @Nullable DirtyLog log;
    private @Nullable DirtyLog ownLog;
    private boolean arriving;
    /** True if pages of a region may be missing. */
    private boolean late;

    /** All regions, in the order of their guest addresses; a copy. */
    public List<MemoryRegion> regions() {
        return List.of(regions);
    }

    /** The bytes of all regions together. */
    public long size() {
        long size = 0;
        for (MemoryRegion region : regions) {
            size += region.size();
        }
        return size;
    }

    /**
     * The number of shared bytes in a range.
     *
     * @param guestAddress of the first byte; the whole range must be below 2^63
     * @param length bytes, at least 0
     */
    public long sizeWithin(long guestAddress, long length) {
        long size = 0;
        for (MemoryRegion region : regions) {
            long from = Math.max(guestAddress, region.guestAddress());
            long to = Math.min(guestAddress + length, region.guestAddress() + region.size());
            size += region.guestAddress() < 0 ? 0 : Math.max(0, to - from);
        }
        return size;
    }

    /** The region of the guest-physical address, or null. Allocates nothing. */
    public @Nullable MemoryRegion find(long guestAddress) {
        MemoryRegion region = findFrom(guestAddress);
        return region != null && region.contains(guestAddress) ? region : null;
    }

    /** The region of the guest-physical address, otherwise the next one above it, or null. Allocates nothing. */
    public @Nullable MemoryRegion findFrom(long guestAddress) {
        MemoryRegion[] table = regions;
        if (lastHit < table.length && table[lastHit].contains(guestAddress)) {
            return table[lastHit];
        }
        int low = 0;
        int high = table.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            MemoryRegion region = table[middle];
            if (region.contains(guestAddress)) {
                lastHit = middle;
                return region;
            }
            if (Long.compareUnsigned(guestAddress, region.guestAddress()) < 0) {
                high = middle - 1;
            } else {
                low = middle + 1;
            }
        }
        return low < table.length ? table[low] : null;
    }

    /** The region of the front-end's own address, or null. For ring addresses; not on the fast path. */
    public @Nullable MemoryRegion findUser(long userAddress) {
        for (MemoryRegion region : regions) {
            if (region.containsUser(userAddress)) {
                return region;
            }
        }
        return null;
    }

    /**
     * A region that shares guest or user addresses with the given ranges, or null.
     *
     * @param size bytes of either range, at least 1
     */
    public @Nullable MemoryRegion overlapping(long guestAddress, long userAddress, long size) {
        for (MemoryRegion region : regions) {
            if (overlap(guestAddress, size, region.guestAddress(), region.size())
                    || overlap(userAddress, size, region.userAddress(), region.size())) {
                return region;
            }
        }
        return null;
    }

    private static boolean overlap(long a, long aSize, long b, long bSize) {
        return Long.compareUnsigned(a - b, bSize) < 0 || Long.compareUnsigned(b - a, aSize) < 0;
    }

    /** Owns a region from now on. It must not overlap any other ({@link #overlapping}), which is not checked again. */
    public void add(MemoryRegion region) {
        List<MemoryRegion> table = new ArrayList<>(List.of(regions));
        table.add(region);
        install(table);
    }

    /** Removes a region and unmaps it; only unmaps it if it is not in the table. */
    public void remove(MemoryRegion region) {
        detach(region);
        region.close();
    }

    /** Removes a region, which stays mapped and is the caller's from then on. Does nothing if it is not in the table. */
    public void detach(MemoryRegion region) {
        List<MemoryRegion> table = new ArrayList<>(List.of(regions));
        table.remove(region);
        install(table);
    }

    /** Owns a whole new table from now on, whose regions must not overlap, and unmaps the regions of the old one. */
    public void replace(List<MemoryRegion> table) {
        exchange(table).forEach(MemoryRegion::close);
    }

    /**
     * Owns a whole new table from now on, whose regions must not overlap.
     *
     * @return the old table's regions, which stay mapped and are the caller's
     */
    public List<MemoryRegion> exchange(List<MemoryRegion> table) {
        List<MemoryRegion> old = List.of(regions);
        install(new ArrayList<>(table));
        return old;
    }

    /**
     * Must be called before a range is touched. Ignores parts that are not shared.
     *
     * @param guestAddress of the first byte
     * @param length in bytes; 0 or less requires nothing
     * @throws PagesLate if pages are missing; they are requested
     */
    public void requireHere(long guestAddress, long length) {
        if (!late) {
            return;
        }
        long address = guestAddress;
        long rest = length;
        while (rest > 0) {
            MemoryRegion region = find(address);
            if (region == null) {
                return;
            }
            long offset = address - region.guestAddress();
            long part = Math.min(rest, region.size() - offset);
            region.requireHere(offset, part);
            address += part;
            rest -= part;
        }
    }

    /** With true, pages of the memory arrive on request from now on; with false, all of them are present. */
    public void setArriving(boolean now) {
        arriving = now;
        findLate();
    }

    /**
     * True while pages of the memory are still to arrive, each once. Until then no device may discard or allocate a page,
     * because the process that brings the pages does not know of it (VHU-PST-9).
     */
    public boolean isArriving() {
        return arriving;
    }

    /**
     * True while memory of discarded pages is being given back ({@link LatePages#discard}): until then a queue must not give
     * back a buffer that names such pages.
     */
    public boolean isDiscarding() {
        if (late) {
            for (MemoryRegion region : regions) {
                LatePages pages = region.latePages();
                if (pages != null && pages.isDiscarding()) {
                    return true;
                }
            }
        }
        return false;
    }

    /** True if discarded pages are zeros afterwards; otherwise their content is undefined. */
    public boolean discardsToZeros() {
        if (late) {
            for (MemoryRegion region : regions) {
                LatePages pages = region.latePages();
                if (pages != null && !pages.discardsToZeros()) {
                    return false;
                }
            }
        }
        return true;
    }

    private void findLate() {
        late = arriving;
        for (MemoryRegion region : regions) {
            late |= region.latePages() != null;
        }
    }

    private void install(List<MemoryRegion> table) {
        table.sort(Comparator.comparing(MemoryRegion::guestAddress, Long::compareUnsigned));
        regions = table.toArray(NONE);
        lastHit = 0;
        findLate();
    }

    /**
     * Starts logging or, with null, stops it (VHU-LOG-5). The log remains the caller's, and must stay open as long as it is
     * used.
     */
    public void logTo(@Nullable DirtyLog newLog) {
        log = newLog;
    }

    /** True while the back-end's writes are logged, because the VM is being migrated. */
    public boolean isLogged() {
        return log != null;
    }

    /**
     * Starts or, with null, stops a log of this process itself in addition to the front-end's, for a migration by this
     * process. The log remains the caller's, and must stay open as long as it is used.
     */
    public void logOwnTo(@Nullable DirtyLog newLog) {
        ownLog = newLog;
    }

    /**
     * Marks a range in the logs, if there are any, after the back-end has written it (VHU-LOG-3).
     *
     * @param guestAddress of the first byte
     * @param length in bytes; 0 or less marks nothing
     * @throws InternalError if a log's file was truncated
     */
    public void markDirty(long guestAddress, long length) {
        markRing(guestAddress, guestAddress, length);
    }

    /**
     * As {@link #written}, for a part of a ring, which the front-end may want to have logged at another address, or not at
     * all (VHU-LOG-4).
     *
     * @param logAddress guest-physical address under which the front-end logs the first byte; negative for not at all
     * @param guestAddress of the first byte
     * @param length in bytes; 0 or less marks nothing
     * @throws InternalError if a log's file was truncated
     */
    public void markRing(long logAddress, long guestAddress, long length) {
        DirtyLog current = log;
        if (current != null && logAddress >= 0) {
            current.mark(logAddress, length);
        }
        DirtyLog own = ownLog;
        if (own != null) {
            own.mark(guestAddress, length);
        }
    }

    /** Unmaps everything. The object may be filled again. */
    @Override
    public void close() {
        replace(List.of());
    }
}
