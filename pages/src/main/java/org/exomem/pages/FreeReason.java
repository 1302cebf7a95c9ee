package org.exomem.pages;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import org.exomem.pages.PageFeed.Kind;

/** Why what a page holds is needed by nobody. Reasons don't exclude each other. */
public enum FreeReason {
    /** The guest hinted the page; it may use it again without a word. */
    HINTED(Kind.HINTING_STARTED, Kind.HINTED, Kind.HINTING_ENDED),
    /** The page is in the balloon of a driver that tells before it uses it again. */
    BALLOON(Kind.INFLATED, Kind.DEFLATED, Kind.RESET),
    /** The page's block of a memory device is unplugged. */
    UNPLUGGED(Kind.UNPLUGGED, Kind.PLUGGED);

    private final Set<Kind> kinds;

    FreeReason(Kind first, Kind... more) {
        this.kinds = Collections.unmodifiableSet(EnumSet.of(first, more));
    }

    /** The messages from which it is known. */
    public Set<Kind> kinds() {
        return kinds;
    }
}
