package org.exomem.migration.pager;

import java.io.IOException;
import org.exomem.migration.GuestPages;
import org.exomem.pages.PageBits;

/** Which pages of files have content, as their file systems know it. */
public final class PresentPages {
    private PresentPages() {}

    /** All that are no holes now. Touches and allocates none. */
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
