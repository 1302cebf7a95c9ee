package org.exomem.benchmarks;

import java.io.IOException;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/** Waits until a serving process is idle: after its work, the JVM compiles and collects garbage for a moment. */
final class AtRest {
    private static final Duration LOOK = Duration.ofMillis(500);
    /** The maximum CPU time of an idle process between two checks. */
    private static final long MOST_MILLIS = 1;
    /** The JVM gives back what its compilers have used every 10 s ({@code packaging/jvm}). */
    private static final Duration SETTLED = Duration.ofSeconds(12);

    private final ServeProcess exomem;
    private long last = -1;

    private AtRest(ServeProcess exomem) {
        this.exomem = exomem;
    }

    /** @param limit the longest to wait; a process that does not come to rest in that time shows it in its figures */
    static void await(ServeProcess exomem, Duration limit) {
        try {
            Awaitility.await().pollInterval(LOOK).during(SETTLED).atMost(limit).until(new AtRest(exomem)::holds);
        } catch (ConditionTimeoutException e) {
            // Its figures are taken as they are.
        }
    }

    private boolean holds() throws IOException {
        long now = exomem.usage().cpuMillis();
        boolean atRest = now - last <= MOST_MILLIS;
        last = now;
        return atRest;
    }
}
