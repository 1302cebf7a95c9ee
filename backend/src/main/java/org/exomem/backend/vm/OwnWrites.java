package org.exomem.backend.vm;

import java.io.IOException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.SharedLog;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.memory.DirtyLog;

/**
 * The pages that exomem's own devices write in a guest's memory while it migrates (MIG-WATCH-6): used rings, and answers to
 * requests. Devices mark pages on the VM's event loop. The engine fetches them on its thread.
 */
final class OwnWrites implements AutoCloseable {
    /**
     * Bytes of the log, one bit for each page of 4096 bytes: guest addresses up to 1 TiB. A page above that counts as
     * written in each sync (MIG-DIRTY-4).
     */
    private static final long MOST_BYTES = 32 << 20;

    private final DirtyLog log;
    private final Mapping mapping;

    private OwnWrites(DirtyLog log, Mapping mapping) {
        this.log = log;
        this.mapping = mapping;
    }

    /**
     * @param addresses of the guest's memory
     * @throws IOException if the log can't be allocated
     */
    static OwnWrites of(AddressMap addresses) throws IOException {
        long end = addresses.ranges().stream()
                .mapToLong(range -> range.guestAddress() + range.length())
                .max()
                .orElse(0);
        long bytes = Math.clamp((Pages.floor(end) + Byte.SIZE - 1) / Byte.SIZE, 1, MOST_BYTES);
        long size = (bytes + SharedFile.SMALL_PAGE - 1) & -SharedFile.SMALL_PAGE;
        try (SharedFile file = SharedFile.memfd("exomem-own-writes", size)) {
            return new OwnWrites(DirtyLog.map(file, 0, size), Mapping.of(file, 0, size));
        }
    }

    DirtyLog log() {
        return log;
    }

    /** Returns the source for the engine. If no front-end shares memory, exomem's devices write nothing. */
    DirtySource source(AddressMap addresses, long pages) {
        return addresses.ranges().isEmpty() ? OwnWrites::nothing : new SharedLog(mapping.segment(), addresses, pages);
    }

    private static void nothing(PageBits into) {}

    /** Call this only when no device marks pages any more. */
    @Override
    public void close() {
        log.close();
        mapping.close();
    }
}
