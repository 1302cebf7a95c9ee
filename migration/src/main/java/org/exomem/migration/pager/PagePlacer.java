package org.exomem.migration.pager;

import java.io.IOException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.Pages;

/**
 * Places pages in a VMM's memory, and wakes the threads that wait for them. A page that is present is never overwritten: the
 * kernel guarantees that (PGR-PLACE-1). Allocates nothing, except for errors. For one thread at a time. Several objects may
 * place pages in the same memory.
 */
public final class PagePlacer {
    private static final long PAGE = SharedFile.SMALL_PAGE;

    private final AddressSpace.Giver giver;
    private final MappedPages mapped;
    private final OwedPages owed;
    private long placed;

    PagePlacer(AddressSpace.Giver giver, MappedPages mapped, OwedPages owed) {
        this.giver = giver;
        this.mapped = mapped;
        this.owed = owed;
    }

    /** True while a page is owed. */
    public boolean isOwed(long page) {
        return owed.contains(page);
    }

    /** True while one of these pages is owed. */
    public boolean isAnyOwed(long first, long count) {
        return owed.next(first) < first + count;
    }

    /** The number of pages that this object has placed with content. */
    long placed() {
        return placed;
    }

    /**
     * Places content. Pages that can't be placed at the moment stay owed, and the threads that wait for them touch them
     * again.
     *
     * @param first number of the first page
     * @param count of pages, at least one
     * @param content address of as many bytes in this process
     * @throws VmmGoneException if the VMM has ended
     * @throws LinuxException ENOMEM if the host has no memory, EFAULT if the content can't be read; some of the pages may be
     *     placed
     */
    public void copy(long first, long count, long content) throws IOException {
        long page = first;
        long end = first + count;
        while (page < end) {
            int range = mapped.rangeOf(page);
            if (range < 0) {
                // No thread can touch it.
                owed.arrived(page, 1);
                page++;
                continue;
            }
            long behind = page + Math.min(end - page, mapped.rest(range, page));
            if (!copy(range, page, behind, content + Pages.bytes(page - first))) {
                return;
            }
            page = behind;
        }
    }

    /**
     * As {@link #copy(long, long, long)}, but only for pages that are still owed: other pages must not get this content
     * (PGR-SOURCE-1).
     */
    public void copyOwed(long first, long count, long content) throws IOException {
        long end = first + count;
        for (long page = owed.next(first); page < end; ) {
            long run = owed.run(page, end - page);
            if (run > 0) {
                copy(page, run, content + Pages.bytes(page - first));
            }
            page = owed.next(page + Math.max(1, run));
        }
    }

    /** Returns false if the rest must be placed again. */
    private boolean copy(int range, long first, long behind, long content) throws IOException {
        long most = behind - first;
        for (long page = first; page < behind; ) {
            long address = mapped.address(range, page);
            long count = Math.min(most, behind - page);
            long done = giver.copy(address, Pages.bytes(count), content + Pages.bytes(page - first));
            if (done >= PAGE) {
                long pages = Pages.floor(done);
                placed += pages;
                arrived(page, pages);
                page += pages;
                most = behind - first;
                continue;
            }
            switch ((int) -done) {
                case Errno.EEXIST -> {
                    // The touch was taken before the page arrived.
                    giver.wake(address, PAGE);
                    arrived(page, 1);
                    page++;
                }
                case Errno.ENOENT -> {
                    if (count > 1) {
                        // Also returned, with nothing placed, if the pages are mapped in two areas: the kernel joins
                        // only areas that are alike.
                        most = count / 2;
                        continue;
                    }
                    if (mapped.hasPagesTwice()) {
                        throw failure("UFFDIO_COPY", address, Errno.ENOENT);
                    }
                    // The VMM has unmapped it, so no thread can touch it.
                    owed.arrived(page, 1);
                    page++;
                }
                case Errno.EAGAIN, 0 -> {
                    giver.wake(address, Pages.bytes(behind - page));
                    return false;
                }
                case Errno.ESRCH -> throw new VmmGoneException();
                default -> throw failure("UFFDIO_COPY", address, (int) -done);
            }
        }
        return true;
    }

    /**
     * Makes a page present that is not owed: zeros, unless it is present already (PGR-ZERO-1).
     *
     * @throws VmmGoneException if the VMM has ended
     * @throws LinuxException ENOMEM if the host has no memory
     */
    void zeros(long page) throws IOException {
        int range = mapped.rangeOf(page);
        if (range < 0) {
            return;
        }
        long address = mapped.address(range, page);
        long done = giver.zeros(address, PAGE);
        if (done >= PAGE) {
            wakeTwins(page, 1);
            return;
        }
        switch ((int) -done) {
            case Errno.EEXIST, Errno.ENOENT, Errno.EAGAIN, 0 -> {
                giver.wake(address, PAGE);
                wakeTwins(page, 1);
            }
            case Errno.ESRCH -> throw new VmmGoneException();
            default -> throw failure("UFFDIO_ZEROPAGE", address, (int) -done);
        }
    }

    /** The source has zeros for these pages: they are owed no more, and threads that wait touch them again (PGR-ZERO-1). */
    public void zeros(long first, long count) {
        owed.arrived(first, count);
        for (long page = first; page < first + count; page++) {
            for (int range = 0; range < mapped.size(); range++) {
                if (mapped.has(range, page)) {
                    giver.wake(mapped.address(range, page), PAGE);
                }
            }
        }
    }

    private void arrived(long first, long count) {
        owed.arrived(first, count);
        wakeTwins(first, count);
    }

    /** Wakes threads at other addresses of the pages; the kernel wakes only those at the address where a page was given. */
    private void wakeTwins(long first, long count) {
        if (mapped.hasPagesTwice()) {
            for (long page = first; page < first + count; page++) {
                for (int range = 0; range < mapped.size(); range++) {
                    if (mapped.has(range, page)) {
                        giver.wake(mapped.address(range, page), PAGE);
                    }
                }
            }
        }
    }

    /** Lets all threads that wait touch their pages again: unanswered touches are reported again. */
    void wakeAll() {
        for (MappedPages.Range range : mapped.ranges()) {
            giver.wake(range.address(), Pages.bytes(range.pages()));
        }
    }

    private static LinuxException failure(String call, long address, int errno) {
        return new LinuxException(call, "0x" + Long.toHexString(address) + " of the VMM", errno);
    }
}
