package org.exomem.backend.migrate;

import java.time.Duration;
import java.time.Instant;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.LockSupport;
import org.exomem.backend.vm.ServedVm;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.StatisticsTag;

/** What a guest says of its memory when it is asked. */
final class FreshStatistics {
    private static final Duration LOOK_AGAIN = Duration.ofMillis(2);

    private FreshStatistics() {}

    /** Asks the guest; empty if it has no such value, no driver answers in that time, or none gives statistics. */
    static OptionalLong value(ServedVm vm, StatisticsTag which, Duration limit) {
        long begin = Instant.now().getEpochSecond();
        long end = System.nanoTime() + limit.toNanos();
        try {
            BalloonStatistics statistics = vm.statistics().join();
            while (statistics.lastUpdateSeconds() < begin && System.nanoTime() < end) {
                LockSupport.parkNanos(LOOK_AGAIN.toNanos());
                statistics = vm.statistics().join();
            }
            Long value = statistics.values().get(which);
            return value == null || statistics.lastUpdateSeconds() < begin
                    ? OptionalLong.empty()
                    : OptionalLong.of(Math.max(0, value));
        } catch (CompletionException e) {
            // No driver, or one without statistics.
            return OptionalLong.empty();
        }
    }
}
