package org.exomem.backend.vm;

import java.util.EnumMap;
import java.util.Map;
import org.exomem.balloon.ToldPageKind;
import org.exomem.pages.PageSet;

/**
 * What a VM's devices know of the pages of a GiB of guest addresses, at one moment: for each kind a bit for each page, in {@link
 * PageSet#CHUNK_WORDS} words of 64, or no words where that is so of no page.
 *
 * @param gib the GiB's number, from guest address 0 on
 * @param unplugged in blocks of memory devices that are unplugged
 */
public record PageUse(int gib, Map<ToldPageKind, long[]> told, long[] unplugged) {
    private static final long[] NONE = {};

    /** A GiB of which nothing is known. */
    public static PageUse nothing(int gib) {
        return new PageUse(gib, new EnumMap<>(ToldPageKind.class), NONE);
    }
}
