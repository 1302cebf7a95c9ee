package org.exomem.backend.vm;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** The names of the balloon's feature bits (VIRTIO, "Traditional Memory Balloon Device / Feature bits"). */
public final class FeatureNames {
    /** Free page bitmaps (spec/free-page-bitmap.md). */
    public static final String BITMAP = "free-page-bitmap";

    private static final SortedMap<Integer, String> NAMES = new TreeMap<>(Map.of(
            0,
            "must-tell-host",
            1,
            "statistics",
            2,
            "deflate-on-oom",
            3,
            "free-page-hint",
            4,
            "page-poison",
            5,
            "free-page-reporting",
            58,
            BITMAP));

    private FeatureNames() {}

    /** The names of all known bits, ordered by bit. */
    public static List<String> all() {
        return List.copyOf(NAMES.values());
    }

    /** The names of the bits that are set, without unknown bits. */
    static List<String> of(long features) {
        List<String> names = new ArrayList<>();
        NAMES.forEach((bit, name) -> {
            if ((features >>> bit & 1) != 0) {
                names.add(name);
            }
        });
        return names;
    }
}
