package org.exomem.balloon;

import org.exomem.linux.SharedFile;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * Gives runs of pages in the balloon back to the host. Where host pages are larger than 4096 bytes (hugetlbfs), a host page
 * is given back only when all its parts are in the balloon (BAL-INF-5). Used on the VM's event loop.
 *
 * <p>Which parts count depends on MUST_TELL_HOST. With it, a page stays untouched until its deflation is acknowledged, so a
 * page in the balloon may be emptied. Without it, the driver may use a page again before it tells the device. Then only a
 * page whose inflation is not yet acknowledged may be emptied, so all parts must arrive together ("Device Operation", what
 * the device MAY modify).
 */
final class HostPages {
    /** The number of runs between two checks of the budget. */
    private static final int RUNS_AT_ONCE = 64;
    /** The most small pages that one call discards: 32 MiB, some milliseconds' work for the kernel. */
    private static final int PAGES_AT_ONCE = 1 << 13;

    private final GuestMemory memory;
    private final PageSet inBalloon;
    private final Discarder discarder;
    private final StepBudget budget;
    // Made once, to avoid an allocation for each batch.
    private final PfnBatch.Run discardRun = this::discard;
    private final PfnBatch.Run arrive;
    private final PfnBatch.Run leave;
    /** The pages whose inflation will be acknowledged next; used only without MUST_TELL_HOST. */
    private final PageSet arriving = new PageSet();

    private PageSet free = arriving;
    private boolean largePages;
    private boolean mustTellHost;
    /** The pages of the present batch are in {@link #arriving}. */
    private boolean together;
    /** The number of page numbers of the batch that are done. */
    private int done;

    HostPages(GuestMemory memory, PageSet inBalloon, Discarder discarder, StepBudget budget) {
        this.memory = memory;
        this.inBalloon = inBalloon;
        this.discarder = discarder;
        this.budget = budget;
        this.arrive = arriving::addAll;
        this.leave = arriving::removeAll;
        memoryChanged();
    }

    void memoryChanged() {
        largePages = memory.regions().stream().anyMatch(region -> region.file().pageSize() > SharedFile.SMALL_PAGE);
    }

    /** @param negotiated true if the driver has MUST_TELL_HOST; set before each step */
    void mustTellHost(boolean negotiated) {
        mustTellHost = negotiated;
    }

    /** Begins to discard the pages of a batch. They are in the balloon already. */
    void begin(PfnBatch batch) {
        done = 0;
        together = largePages && !mustTellHost;
        free = together ? arriving : inBalloon;
        if (together) {
            batch.forEachRun(arrive);
        }
    }

    /** Continues as far as the step's budget allows; returns true when all pages of the batch are done. */
    boolean discardSome(PfnBatch batch) {
        long most = largePages ? PfnBatch.LIMIT : PAGES_AT_ONCE;
        while (done < batch.count() && !budget.isSpent()) {
            done = batch.forEachRun(done, RUNS_AT_ONCE, most, discardRun);
            budget.spend((long) StepBudget.RUN * RUNS_AT_ONCE);
        }
        discarder.flush();
        // IMG-CLONE-7
        if (done < batch.count() || memory.isDiscarding()) {
            return false;
        }
        if (together) {
            together = false;
            batch.forEachRun(leave);
        }
        return true;
    }

    /** Forgets an unfinished batch. */
    void forget() {
        if (together) {
            together = false;
            arriving.clear();
        }
    }

    private void discard(long firstPage, long pages) {
        long page = firstPage;
        long end = firstPage + pages;
        while (page < end) {
            MemoryRegion region = memory.find(Pages.bytes(page));
            if (region == null) {
                return;
            }
            long part = Math.min(end, Pages.floor(region.guestAddress() + region.size())) - page;
            discard(region, Pages.bytes(page) - region.guestAddress(), Pages.bytes(part));
            page += part;
        }
    }

    private void discard(MemoryRegion region, long offset, long length) {
        long size = region.file().pageSize();
        long start = region.fileOffset() + offset;
        long end = start + length;
        if (size == SharedFile.SMALL_PAGE) {
            discarder.add(region, start, end);
            return;
        }
        // Only the first and the last host page can have parts outside the run.
        long first = start & -size;
        long last = end - 1 & -size;
        long from = isFree(region, first) ? first : first + size;
        long to = isFree(region, last) ? last + size : last;
        if (from < to) {
            discarder.add(region, from, to);
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

    /** A border of two regions is in the host page: its parts are spread over guest memory, or not in it at all. */
    private boolean isFreeAcrossRegions(SharedFile file, long hostPage, long size) {
        long found = 0;
        budget.spend((long) StepBudget.RUN * memory.regions().size());
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
        return Pages.isWhole(guestAddress)
                && Pages.isWhole(length)
                && free.containsAll(Pages.floor(guestAddress), Pages.floor(length));
    }
}
