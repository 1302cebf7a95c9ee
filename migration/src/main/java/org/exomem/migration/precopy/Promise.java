package org.exomem.migration.precopy;

import java.io.IOException;
import org.exomem.pages.PageBits;

/** Tells a destination which pages come after its guest has begun (MIG-POST-2). */
public interface Promise {
    /** For a destination without post-copy. */
    Promise NONE = pages -> {
        throw new IOException("the guest can't start at the destination before all memory has arrived");
    };

    /**
     * Announces these pages; the guest still runs at the source. Returns when a touch of one of them at the destination
     * would wait for it.
     *
     * @throws IOException if the destination can't do without them, or the connection is lost: the guest stays at the source
     */
    void make(PageBits pages) throws IOException;
}
