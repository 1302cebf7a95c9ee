package org.exomem.migration.pager;

import java.io.IOException;
import org.exomem.migration.GuestPages;
import org.exomem.pages.PageBits;

/** Finds the pages of files that have content, from their file systems. */
public final class PresentPages {
    private PresentPages() {}

    /**
     * Returns all pages that are not holes now. Touches and allocates none.
     *
     * @throws IOException if the files can't be examined
     */
    public static PageBits of(GuestPages files) throws IOException {
        PageBits present = new PageBits(files.pages());
        for (long from = files.nextData(0); from < files.pages(); ) {
            long end = files.nextHole(from);
            present.add(from, end - from);
            from = files.nextData(end);
        }
        return present;
    }
}
