package org.exomem.balloon;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.exomem.linux.LinuxException;

/**
 * Tells the operator of failing system calls: the first of a kind at once, then at most one a minute with the number of
 * those in between, because a failure that concerns every page would otherwise be told as often as there are pages.
 */
final class HostFaults {
    private static final long SILENCE_NANOS = Duration.ofMinutes(1).toNanos();

    private static final class Silence {
        private long until;
        private long suppressed;
    }

    private final LongSupplier nanoTime;
    private final Map<Integer, Silence> silences = new HashMap<>();

    /** @param nanoTime a clock in nanoseconds, as {@link System#nanoTime} */
    HostFaults(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /**
     * @param failure what failed; its error number is its kind
     * @param consequence what follows for the guest
     * @param tell takes the message if this is the time for one
     */
    void report(LinuxException failure, String consequence, Consumer<String> tell) {
        long now = nanoTime.getAsLong();
        Silence silence = silences.get(failure.errno());
        if (silence != null && now - silence.until < 0) {
            silence.suppressed++;
            return;
        }
        long suppressed = silence == null ? 0 : silence.suppressed;
        silence = new Silence();
        silence.until = now + SILENCE_NANOS;
        silences.put(failure.errno(), silence);
        String more = suppressed == 0 ? "" : " (" + suppressed + " more like it since the last message)";
        tell.accept(failure.getMessage() + "; " + consequence + more);
    }
}
