package org.exomem.migration.precopy;

import java.io.IOException;
import org.exomem.pages.PageBits;

/** How a destination is told which pages come only when the guest has begun there (MIG-POST-2). */
public interface Promise {
    /** For a destination to which all pages come before. */
    Promise NONE = pages -> {
        throw new IOException("the destination can't begin before all memory has come");
    };

    /**
     * Says which pages these are so far; the guest still runs here. Returns when whoever touches one of them there would wait for it.
     *
     * @throws IOException if the destination can't do without them, or the connection is lost: the guest stays here
     */
    void make(PageBits pages) throws IOException;
}
