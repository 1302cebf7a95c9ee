package org.exomem.balloon;

import org.exomem.linux.SharedFile;
import org.exomem.pages.PageSet;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * Gives runs of pages in the balloon back to the host. Where memory comes in pages larger than 4096 bytes (hugetlbfs), a
 * host page goes only when all its parts are in the balloon.
 *
 * <p>Which parts count depends on MUST_TELL_HOST. With it a page stays untouched until its deflation is acknowledged, so a
 * page in the balloon is free to be emptied. Without it the driver may use a page again before it says so; only a page
 * whose inflation is not yet acknowledged is free, and so all parts must come together ("Device Operation", what the
 * device MAY modify).
 */
final class HostPages {
    private final GuestMemory memory;
    private final PageSet inBalloon;
    private final Discarder discarder;
    // Made once, or it would be a new object for each batch.
    private final PfnBatch.Run discardRun = this::discard;
    /** The pages whose inflation is about to be acknowledged; used only without MUST_TELL_HOST. */
    private final PageSet arriving = new PageSet();

    private PageSet free = arriving;
    private boolean largePages;

    HostPages(GuestMemory memory, PageSet inBalloon, Discarder discarder) {
        this.memory = memory;
        this.inBalloon = inBalloon;
        this.discarder = discarder;
        memoryChanged();
    }

    void memoryChanged() {
        largePages = memory.regions().stream().anyMatch(region -> region.file().pageSize() > SharedFile.SMALL_PAGE);
    }

    /** Discards the pages of a batch, which are already in the balloon. */
    void discard(PfnBatch batch, boolean mustTellHost) {
        boolean together = largePages && !mustTellHost;
        free = together ? arriving : inBalloon;
        if (together) {
            batch.forEachRun(arriving::addAll);
        }
        batch.forEachRun(discardRun);
        discarder.flush();
        if (together) {
            batch.forEachRun(arriving::removeAll);
        }
    }

    private void discard(long firstPage, long pages) {
        long page = firstPage;
        long end = firstPage + pages;
        while (page < end) {
            MemoryRegion region = memory.find(page << 12);
            if (region == null) {
                return;
            }
            long part = Math.min(end, region.guestAddress() + region.size() >>> 12) - page;
            discard(region, (page << 12) - region.guestAddress(), part << 12);
            page += part;
        }
    }

    private void discard(MemoryRegion region, long offset, long length) {
        long size = region.file().pageSize();
        long start = region.fileOffset() + offset;
        long end = start + length;
        if (size == SharedFile.SMALL_PAGE) {
            discarder.add(region.file(), start, end);
            return;
        }
        // Only the first and the last host page can have parts outside of the run.
        long first = start & -size;
        long last = end - 1 & -size;
        long from = isFree(region, first) ? first : first + size;
        long to = isFree(region, last) ? last + size : last;
        if (from < to) {
            discarder.add(region.file(), from, to);
        }
    }

    private boolean isFree(MemoryRegion region, long hostPage) {
        long size = region.file().pageSize();
        long offset = hostPage - region.fileOffset();
        if (offset >= 0 && offset + size <= region.size()) {
            return areFree(region.guestAddress() + offset, size);
        }
        return isFreeAcrossRegions(region.file(), hostPage, size);
    }

    /** A border of two regions lies in the host page: its parts are all over guest memory, or not there at all. */
    private boolean isFreeAcrossRegions(SharedFile file, long hostPage, long size) {
        long found = 0;
        for (MemoryRegion region : memory.regions()) {
            if (region.file().isSameFileAs(file)) {
                long from = Math.max(hostPage, region.fileOffset());
                long to = Math.min(hostPage + size, region.fileOffset() + region.size());
                if (from < to) {
                    if (!areFree(region.guestAddress() + from - region.fileOffset(), to - from)) {
                        return false;
                    }
                    found += to - from;
                }
            }
        }
        return found == size;
    }

    private boolean areFree(long guestAddress, long length) {
        return (guestAddress & 4095) == 0
                && (length & 4095) == 0
                && free.containsAll(guestAddress >>> 12, length >>> 12);
    }
}
