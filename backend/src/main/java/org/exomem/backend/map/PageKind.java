package org.exomem.backend.map;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The kind of a guest's page. Each page has one of the first nine kinds: the first that applies, in the order unplugged,
 * balloon, reported, hole, hinted, free. The last two kinds may apply in addition.
 */
public enum PageKind {
    /** The page has host memory, and the guest has not reported that it does not need it. */
    USED,
    /** The guest hinted in the present session that the page is free. */
    HINTED,
    /** The page was free in the guest's last bitmap of free pages. */
    FREE,
    /** The guest reported the page as free. It has had no host memory since. */
    REPORTED,
    /** The page is in the balloon. */
    BALLOON,
    /** The page belongs to an unplugged block of a memory device. */
    UNPLUGGED,
    /** The page has no host memory: it was never touched, was given back, or is swapped out. */
    HOLE,
    /** It is not known yet whether the page has host memory. */
    UNSEEN,
    /** The guest has no memory there. */
    NONE,
    /** The guest wrote the page between the last two syncs of a migration that is under way. */
    WRITTEN,
    /** The page's content was sent to the destination of a migration that is under way. */
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
