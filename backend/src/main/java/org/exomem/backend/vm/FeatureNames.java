package org.exomem.backend.vm;

import java.util.ArrayList;
import java.util.List;

/** The names of the balloon's feature bits (VIRTIO, "Traditional Memory Balloon Device / Feature bits"). */
public final class FeatureNames {
    private static final List<String> NAMES = List.of(
            "must-tell-host", "statistics", "deflate-on-oom", "free-page-hint", "page-poison", "free-page-reporting");

    private FeatureNames() {}

    /** All of them, by bit. */
    public static List<String> all() {
        return NAMES;
    }

    /** Those in a set of feature bits; others are left out. */
    static List<String> of(long features) {
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < NAMES.size(); bit++) {
            if ((features >>> bit & 1) != 0) {
                names.add(NAMES.get(bit));
            }
        }
        return names;
    }
}
