package org.exomem.backend.migrate;

import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.balloon.StatisticsTag;

/** The memory statistics of a guest, requested now. */
final class FreshStatistics {
    private FreshStatistics() {}

    /**
     * Asks the guest for one value, and waits at most {@code limit}. Empty if the guest has no such value, does not answer
     * in time, or has no driver with statistics.
     */
    static OptionalLong value(VirtualMachine vm, StatisticsTag which, Duration limit) {
        try {
            Long value = vm.nextStatistics()
                    .orTimeout(limit.toNanos(), TimeUnit.NANOSECONDS)
                    .join()
                    .values()
                    .get(which);
            return value == null ? OptionalLong.empty() : OptionalLong.of(Math.max(0, value));
        } catch (CompletionException e) {
            // There is no driver, it has no statistics, or it did not answer in time.
            return OptionalLong.empty();
        }
    }
}
