package org.exomem.backend.migrate;

import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.balloon.StatisticsTag;

/** What a guest says of its memory when it is asked. */
final class FreshStatistics {
    private FreshStatistics() {}

    /** Asks the guest; empty if it has no such value, no driver answers in that time, or none gives statistics. */
    static OptionalLong value(VirtualMachine vm, StatisticsTag which, Duration limit) {
        try {
            Long value = vm.nextStatistics()
                    .orTimeout(limit.toNanos(), TimeUnit.NANOSECONDS)
                    .join()
                    .values()
                    .get(which);
            return value == null ? OptionalLong.empty() : OptionalLong.of(Math.max(0, value));
        } catch (CompletionException e) {
            // No driver, one without statistics, or none that answers in time.
            return OptionalLong.empty();
        }
    }
}
