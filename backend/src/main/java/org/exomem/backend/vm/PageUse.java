package org.exomem.backend.vm;

import java.util.EnumMap;
import java.util.Map;
import org.exomem.balloon.ToldPageKind;
import org.exomem.pages.PageSet;

/**
 * The knowledge of a VM's devices about the pages in one GiB of guest addresses, at one moment. Each kind has a bit for each
 * page of 4096 bytes, in {@link PageSet#CHUNK_WORDS} words of 64 bits, or no words if no page is of that kind.
 *
 * @param gib the number of the GiB, from guest address 0 on
 * @param unplugged pages in unplugged blocks of memory devices
 */
public record PageUse(int gib, Map<ToldPageKind, long[]> told, long[] unplugged) {
    private static final long[] NONE = {};

    /** A GiB of which nothing is known. */
    public static PageUse nothing(int gib) {
        return new PageUse(gib, new EnumMap<>(ToldPageKind.class), NONE);
    }
}
