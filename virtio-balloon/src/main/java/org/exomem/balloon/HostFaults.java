package org.exomem.balloon;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.exomem.linux.LinuxException;

/**
 * Reports failed system calls to the operator: the first of a kind at once, then at most one message a minute with the
 * number of failures in between. Otherwise a failure that concerns every page would be reported as often as there are pages.
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
     * Reports a failure, or counts it if it is too early for another message.
     *
     * @param failure the failure; its error number is its kind
     * @param consequence the consequence for the guest
     * @param tell receives the message, if there is one
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
        String more = suppressed == 0 ? "" : " (" + suppressed + " more since the last message)";
        tell.accept(failure.getMessage() + "; " + consequence + more);
    }
}
