package org.exomem.balloon;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What the guest last said of its memory.
 *
 * @param lastUpdateSeconds when it came, in seconds since 1970; 0 if nothing has come yet
 * @param values only those that the driver supplied, each an unsigned number of 64 bits
 */
public record BalloonStatistics(long lastUpdateSeconds, SortedMap<StatisticsTag, Long> values) {
    public BalloonStatistics {
        values = Collections.unmodifiableSortedMap(new TreeMap<>(values));
    }
}
