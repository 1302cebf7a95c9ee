package org.exomem.pages;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import org.exomem.pages.PageFeed.Kind;

/** Why a page's content is not needed. A page may have several reasons. */
public enum FreeReason {
    /** The guest hinted the page, and may use it again without a message. */
    HINTED(Kind.HINTING_STARTED, Kind.HINTED, Kind.HINTING_ENDED),
    /** The page is in the balloon of a driver that sends a message before it uses the page again. */
    BALLOON(Kind.INFLATED, Kind.DEFLATED, Kind.RESET),
    /** The page's block of a memory device is unplugged. */
    UNPLUGGED(Kind.UNPLUGGED, Kind.PLUGGED);

    private final Set<Kind> kinds;

    FreeReason(Kind first, Kind... more) {
        this.kinds = Collections.unmodifiableSet(EnumSet.of(first, more));
    }

    /** The kinds of messages that report it. */
    public Set<Kind> kinds() {
        return kinds;
    }
}
