package org.exomem.vhostuser.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The memory that a front-end shares for one device: regions in the order of their guest addresses, none overlapping.
 * Belongs to the event loop of its VM; only {@link MemoryRegion#segment} may be used elsewhere.
 */
public final class GuestMemory implements AutoCloseable {
    private static final MemoryRegion[] NONE = {};

    private MemoryRegion[] regions = NONE;
    private int lastHit;
    private @Nullable DirtyLog log;
    private @Nullable DirtyLog ownLog;
    private boolean arriving;
    /** Pages of some region may not be here. */
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
     * How many bytes of a range are shared.
     *
     * @param guestAddress of the first byte; the whole range must lie below 2^63
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

    /** The region that holds the guest-physical address, or null. No allocation. */
    public @Nullable MemoryRegion find(long guestAddress) {
        MemoryRegion region = findFrom(guestAddress);
        return region != null && region.contains(guestAddress) ? region : null;
    }

    /** The region that holds the guest-physical address, or else the next one above it, or null. No allocation. */
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

    /** The region that holds the front-end's own address, or null. For ring addresses; not on the fast path. */
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

    /** Takes over a region. It must overlap none that is there ({@link #overlapping}), which is not checked again. */
    public void add(MemoryRegion region) {
        List<MemoryRegion> table = new ArrayList<>(List.of(regions));
        table.add(region);
        install(table);
    }

    /** Takes a region out and unmaps it; does nothing to the table if it is not there. */
    public void remove(MemoryRegion region) {
        detach(region);
        region.close();
    }

    /** Takes a region out; it stays mapped and is the caller's from then on. Does nothing if it is not there. */
    public void detach(MemoryRegion region) {
        List<MemoryRegion> table = new ArrayList<>(List.of(regions));
        table.remove(region);
        install(table);
    }

    /** Takes over a whole new table, whose regions must not overlap, and unmaps the regions of the old one. */
    public void replace(List<MemoryRegion> table) {
        exchange(table).forEach(MemoryRegion::close);
    }

    /**
     * Takes over a whole new table, whose regions must not overlap.
     *
     * @return the old table's regions, which stay mapped and are the caller's
     */
    public List<MemoryRegion> exchange(List<MemoryRegion> table) {
        List<MemoryRegion> old = List.of(regions);
        install(new ArrayList<>(table));
        return old;
    }

    /**
     * To be called before a range is touched. What of it is not shared is not looked at.
     *
     * @param guestAddress of the first byte
     * @param length bytes; 0 or less requires nothing
     * @throws PagesLate if some of it is not here; it is asked for
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

    /** From now on pages of the memory come when they are asked for; with false, all of them are here. */
    public void setArriving(boolean now) {
        arriving = now;
        findLate();
    }

    /**
     * True while pages of the memory are still to come from elsewhere, each once. Until then nobody may discard or allocate a page behind
     * the back of whoever brings them (VHU-PST-9).
     */
    public boolean isArriving() {
        return arriving;
    }

    /**
     * True while memory is given back of pages that were discarded ({@link LatePages#discard}): no queue gives back a buffer that names such pages
     * before that is over.
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

    /** True if pages that are discarded hold zeros afterwards; otherwise anything. */
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

    /** Starts or, with null, stops logging (VHU-LOG-5). The log stays the caller's, and open as long as it is used. */
    public void logTo(@Nullable DirtyLog newLog) {
        log = newLog;
    }

    /** True while what the back-end writes is logged: the VM is on its way to another host. */
    public boolean isLogged() {
        return log != null;
    }

    /**
     * Starts or, with null, stops a log of this process itself, beside that of the front-end: for a migration of its own. The log
     * stays the caller's, and open as long as it is used.
     */
    public void logOwnTo(@Nullable DirtyLog newLog) {
        ownLog = newLog;
    }

    /**
     * Tells the logs, if there are any, that the back-end has written the range (VHU-LOG-3). Call after the write.
     *
     * @param guestAddress of the first byte
     * @param length bytes; 0 or less marks nothing
     * @throws InternalError if a log's file was truncated
     */
    public void markDirty(long guestAddress, long length) {
        markRing(guestAddress, guestAddress, length);
    }

    /**
     * The same for a part of a ring, which the front-end may want to have logged elsewhere, or not at all (VHU-LOG-4).
     *
     * @param logAddress guest-physical address under which the front-end logs the first byte; negative for not at all
     * @param guestAddress of the first byte
     * @param length bytes; 0 or less marks nothing
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
