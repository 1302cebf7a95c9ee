package org.exomem.migration.stream.format;

import java.util.EnumSet;
import java.util.Set;
import org.exomem.migration.StreamFault;

/** Features that two ends may agree on; {@code spec/migration-stream.md}, "Features". */
public enum StreamFeature {
    /** Pages may be compressed with zstd. */
    ZSTD(0),
    /** After a lost connection the source may connect again and go on. */
    RESUME(1),
    /** The guest may begin at the destination before all of its memory is there. */
    POSTCOPY(2);

    private final int bit;

    StreamFeature(int bit) {
        this.bit = bit;
    }

    public static long bits(Set<StreamFeature> features) {
        long bits = 0;
        for (StreamFeature feature : features) {
            bits |= 1L << feature.bit;
        }
        return bits;
    }

    /**
     * Returns the features that both ends support (STR-PRE-3).
     *
     * @throws StreamFault if one end requires a feature that the other does not have
     */
    public static Set<StreamFeature> agree(Preamble mine, Preamble other, String nameOfOther) throws StreamFault {
        long missing = other.required() & ~mine.offered();
        if (missing != 0) {
            throw new StreamFault("the " + nameOfOther + " requires " + names(missing)
                    + ", which this end does not support or has disabled");
        }
        missing = mine.required() & ~other.offered();
        if (missing != 0) {
            throw new StreamFault("this end requires " + names(missing) + ", which the " + nameOfOther
                    + " does not support or has disabled");
        }
        Set<StreamFeature> agreed = EnumSet.noneOf(StreamFeature.class);
        long both = mine.offered() & other.offered();
        for (StreamFeature feature : values()) {
            if ((both & 1L << feature.bit) != 0) {
                agreed.add(feature);
            }
        }
        return agreed;
    }

    private static String names(long bits) {
        StringBuilder names = new StringBuilder();
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((bits & 1L << bit) != 0) {
                names.append(names.isEmpty() ? "" : ", ").append(name(bit));
            }
        }
        return names.toString();
    }

    private static String name(int bit) {
        for (StreamFeature feature : values()) {
            if (feature.bit == bit) {
                return "feature " + feature;
            }
        }
        return "the unknown feature " + bit;
    }
}
