package org.exomem.backend.map;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * What a page of a guest is. Each page is one of the first nine, the first that is so of those in the order unplugged, balloon, reported,
 * hole, hinted, free; the last two may be so of any page besides.
 */
public enum PageKind {
    /** It has host memory, and nobody said that the guest does not need it. */
    USED,
    /** The guest hinted in the session that runs that it is free. */
    HINTED,
    /** It was free in the guest's last bitmap of free pages. */
    FREE,
    /** The guest reported it free; it has no host memory since. */
    REPORTED,
    /** It is in the balloon. */
    BALLOON,
    /** It belongs to a block of a memory device that is unplugged. */
    UNPLUGGED,
    /** It has no host memory: it was never touched, was given back, or is swapped out. */
    HOLE,
    /** It was not looked at yet whether it has host memory. */
    UNSEEN,
    /** The guest has no memory there. */
    NONE,
    /** The guest wrote it between the last two looks of a migration that is under way. */
    WRITTEN,
    /** Its content went to the destination of a migration that is under way. */
    TRAVELLED;

    /** All kinds, in the order of the map's counts. */
    public static final List<PageKind> ALL = List.of(values());

    /** The kind's name on the control socket. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The names of all kinds. */
    public static String[] words() {
        return Arrays.stream(values()).map(PageKind::word).toArray(String[]::new);
    }
}
