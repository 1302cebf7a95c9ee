package org.exomem.backend.migrate;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.exomem.migration.CancelToken;
import org.exomem.migration.GuestPages;

/**
 * Asks a guest to clear its free memory before its writes are tracked, if it is a guest that clears what it hints (Linux
 * with {@code init_on_alloc}, the default of most distributions). Such a guest writes each page just before it hints the
 * page. So its hints would exclude no page while writes are tracked. The hints of this session count for nothing either
 * (MIG-HINT-2), but cleared pages are zeros, which are not sent, and the guest clears them at full speed. The first hints
 * show whether a guest clears its pages.
 */
final class ClearedFirst {
    private static final Duration STEP = Duration.ofMillis(20);
    /** A driver that has sent no hint after this time gives none. */
    private static final Duration SILENT = Duration.ofMillis(250);
    /** Bytes of hints that show whether the guest clears its pages. */
    private static final long ENOUGH = 64L << 20;
    /** Bytes a second. Slower hints are not worth the wait. */
    private static final long LEAST_RATE = 256L << 20;

    /** Within this time after the first hint the rate says little. */
    private static final Duration SETTLED = Duration.ofMillis(300);

    private static final int SAMPLES = 1024;

    /** The guest's driver. */
    interface Driver {
        void start();

        /** Ends the session: the driver gets its pages back. */
        void finish();

        Hints hints();
    }

    /**
     * What a session has brought so far.
     *
     * @param bytes hinted
     * @param over whether no more hints come
     */
    record Hints(long bytes, boolean over) {}

    /** The clock. Tests replace it. */
    interface Time {
        Time REAL = new Time() {
            @Override
            public long nanos() {
                return System.nanoTime();
            }

            @Override
            public void pass(Duration time) {
                LockSupport.parkNanos(time.toNanos());
            }
        };

        long nanos();

        void pass(Duration time);
    }

    private final GuestPages memory;
    private final Driver driver;
    private final Time time;
    private final CancelToken cancel;

    private ClearedFirst(GuestPages memory, Driver driver, Time time, CancelToken cancel) {
        this.memory = memory;
        this.driver = driver;
        this.time = time;
        this.cancel = cancel;
    }

    /**
     * Runs the session, and waits as long as hints arrive fast enough.
     *
     * @return true if the guest clears what it hints; then it is not asked for hints again
     * @throws org.exomem.migration.MigrationCancelledException if the migration is cancelled meanwhile
     * @throws IOException if memory can't be read
     */
    static boolean run(GuestPages memory, Driver driver, Time time, CancelToken cancel) throws IOException {
        return new ClearedFirst(memory, driver, time, cancel).run();
    }

    private boolean run() throws IOException {
        ContentSample sample = new ContentSample(memory, SAMPLES);
        driver.start();
        try {
            return follow(sample);
        } finally {
            driver.finish();
        }
    }

    private boolean follow(ContentSample sample) throws IOException {
        long before = sample.bytes();
        long start = time.nanos();
        long first = start;
        while (true) {
            time.pass(STEP);
            cancel.check();
            long now = time.nanos();
            Hints hints = driver.hints();
            if (hints.bytes() == 0) {
                if (hints.over() || now - start > SILENT.toNanos()) {
                    return false;
                }
                first = now;
                continue;
            }
            sample.lookAgain();
            boolean clears = before - sample.bytes() >= hints.bytes() / 4;
            long since = now - first;
            boolean tooSlow = since > SETTLED.toNanos() && hints.bytes() < LEAST_RATE * (since / 1e9);
            if (hints.over() || tooSlow || hints.bytes() >= ENOUGH && !clears) {
                return clears;
            }
        }
    }
}
