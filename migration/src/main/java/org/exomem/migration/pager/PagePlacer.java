package org.exomem.migration.pager;

import java.io.IOException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.Pages;

/**
 * Puts pages into a VMM's memory, and has whoever waits for them go on. A page that is there already is never overwritten: the
 * kernel sees to that, whoever came first (PGR-PLACE-1). Nothing is allocated, but for errors. For one thread at a time; several
 * may place into the same memory.
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

    /** True as long as a page is owed. */
    public boolean isOwed(long page) {
        return owed.contains(page);
    }

    /** True as long as one of these pages is owed. */
    public boolean isAnyOwed(long first, long count) {
        return owed.next(first) < first + count;
    }

    /** Pages of content that this one has placed, so far. */
    long placed() {
        return placed;
    }

    /**
     * Places content. Pages that could not be placed just now stay owed, and whoever waits for them touches them again.
     *
     * @param first number of the first page
     * @param count of pages, at least one
     * @param content address in this process of as many bytes
     * @throws VmmGoneException if the VMM has ended
     * @throws LinuxException ENOMEM if the host has no memory for it, EFAULT if the content can't be read; some of the pages may
     *     be placed
     */
    public void copy(long first, long count, long content) throws IOException {
        long page = first;
        long end = first + count;
        while (page < end) {
            int range = mapped.rangeOf(page);
            if (range < 0) {
                // Nobody can touch it.
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

    /** As {@link #copy(long, long, long)}, but only the pages that are owed by now: none that is not becomes anything else (PGR-SOURCE-1). */
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

    /** Returns false if the rest has to come again. */
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
                    // Whoever waits was told of it before it came.
                    giver.wake(address, PAGE);
                    arrived(page, 1);
                    page++;
                }
                case Errno.ENOENT -> {
                    if (count > 1) {
                        // Also said, and nothing placed, where all is mapped in two pieces: the kernel joins only what
                        // is alike.
                        most = count / 2;
                        continue;
                    }
                    if (mapped.hasPagesTwice()) {
                        throw failure("UFFDIO_COPY", address, Errno.ENOENT);
                    }
                    // The VMM has unmapped it: nobody can touch it.
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
     * Makes a page be there that is not owed: zeros, unless it is there by now (PGR-ZERO-1).
     *
     * @throws VmmGoneException if the VMM has ended
     * @throws LinuxException ENOMEM if the host has no memory for it
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

    /** The source has zeros for pages: they are owed no more, and whoever waits touches them again (PGR-ZERO-1). */
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

    /** The kernel wakes only those who wait at the address at which a page was given. */
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

    /** Has all who wait touch their pages again: what was not answered comes again. */
    void wakeAll() {
        for (MappedPages.Range range : mapped.ranges()) {
            giver.wake(range.address(), Pages.bytes(range.pages()));
        }
    }

    private static LinuxException failure(String call, long address, int errno) {
        return new LinuxException(call, "0x" + Long.toHexString(address) + " of the VMM", errno);
    }
}
