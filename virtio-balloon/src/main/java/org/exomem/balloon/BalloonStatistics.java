package org.exomem.balloon;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The last statistics of the guest's memory.
 *
 * @param lastUpdateSeconds when they arrived, in seconds since 1970; 0 if none have arrived yet
 * @param values only those that the driver supplied, each an unsigned 64-bit number
 */
public record BalloonStatistics(long lastUpdateSeconds, SortedMap<StatisticsTag, Long> values) {
    public BalloonStatistics {
        values = Collections.unmodifiableSortedMap(new TreeMap<>(values));
    }
}
