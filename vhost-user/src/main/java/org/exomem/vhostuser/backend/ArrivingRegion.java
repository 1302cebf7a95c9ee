package org.exomem.vhostuser.backend;

import org.exomem.linux.LateMapping;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.protocol.FrontEndFault;

/**
 * A region of guest memory whose pages the front-end brings on request. Pages are requested by a separate mapping, at whose
 * addresses the front-end sees the faults. The mapping that devices use is not watched. So an access that {@link #areHere}
 * does not prevent can't block the event loop, and with it the whole process at its next safepoint, whatever a front-end
 * does with pages that it has given.
 */
final class ArrivingRegion implements LatePages {
    /** The most pages of 4096 bytes in one request. */
    private static final long AT_ONCE = 64;

    private final SharedMapping mapping;
    private final ArrivingFile file;
    private final PageBringer bringer;
    private final PageBringer.Outcome outcome;
    private final long fileOffset;
    /** The offset of the mapping in the file: below the region if that begins within a larger page. */
    private final long mappingOffset;

    private final Runnable forget;

    private boolean closed;

    private ArrivingRegion(
            MemoryRegion region,
            long mappingOffset,
            SharedMapping mapping,
            ArrivingFile file,
            PageBringer bringer,
            PageBringer.Outcome outcome,
            Runnable forget) {
        this.fileOffset = region.fileOffset();
        this.mappingOffset = mappingOffset;
        this.mapping = mapping;
        this.file = file;
        this.bringer = bringer;
        this.outcome = outcome;
        this.forget = forget;
    }

    /**
     * Watches a region for missing pages.
     *
     * @param file what is known of the pages of the region's file
     * @param outcome notified when pages have arrived
     * @param forget runs once, when the region is closed
     * @throws FrontEndFault if the region's offset in its file is too large
     */
    static ArrivingRegion of(
            MemoryRegion region,
            ArrivingFile file,
            Userfaultfd userfaultfd,
            PageBringer bringer,
            PageBringer.Outcome outcome,
            Runnable forget)
            throws LinuxException {
        if (region.fileOffset() > Pages.bytes(PageSet.LIMIT) - region.size()) {
            throw new FrontEndFault("memory region " + region
                    + " lies after the first 2^48 bytes of its file: its pages can't be tracked while they arrive");
        }
        SharedFile backing = region.file();
        long offset = region.fileOffset() & -backing.pageSize();
        LateMapping mapping =
                LateMapping.of(backing, offset, region.fileOffset() - offset + region.size(), userfaultfd);
        return new ArrivingRegion(region, offset, new SharedMapping(mapping), file, bringer, outcome, forget);
    }

    /** The address of the region's first byte in the front-end's faults. */
    long address() {
        return mapping.address() + fileOffset - mappingOffset;
    }

    @Override
    public boolean areHere(long offset, long length) {
        if (closed) {
            return true;
        }
        long first = Pages.floor(fileOffset + offset);
        long end = Pages.ceil(fileOffset + offset + length);
        if (file.here.containsAll(first, end - first)) {
            return true;
        }
        long missing = file.here.next(first, end, false);
        if (!file.asked.contains(missing)) {
            long most = Math.min(end, missing + AT_ONCE);
            ask(missing, Math.min(file.here.next(missing, most, true), file.asked.next(missing, most, true)));
        }
        return false;
    }

    @Override
    public boolean isArriving() {
        return true;
    }

    private void ask(long first, long end) {
        file.asked.addAll(first, end - first);
        bringer.bring(mapping, Pages.bytes(first) - mappingOffset, Pages.bytes(end - first), new PageBringer.Outcome() {
            @Override
            public void over(boolean came) {
                file.asked.removeAll(first, end - first);
                if (came) {
                    file.here.addAll(first, end - first);
                }
                outcome.over(came);
            }

            @Override
            public void failed(Throwable why) {
                outcome.failed(why);
            }
        });
    }

    /** Ends all requests. Missing pages remain holes. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            bringer.end(mapping);
            forget.run();
        }
    }
}
