package org.exomem.backend.migrate;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.exomem.migration.CancelToken;
import org.exomem.migration.GuestPages;

/**
 * Has a guest clear its free memory before its writes are noted, if it is one that clears what it hints (Linux with
 * {@code init_on_alloc}, as most distributions have it). Its hints would excuse nothing while writes are noted, as each page is
 * written just before. Now they count for nothing either (MIG-HINT-2), but what was cleared is zeros, which are not sent, and the guest
 * clears it at full speed. A guest that does not clear is found out by its first hints.
 */
final class ClearedFirst {
    private static final Duration STEP = Duration.ofMillis(20);
    /** A driver that has told nothing by then gives no hints. */
    private static final Duration SILENT = Duration.ofMillis(250);
    /** A driver that looks for the newest command only has to see the end of a session before the next begins. */
    private static final Duration AFTERWARDS = Duration.ofMillis(50);

    /** So many bytes of hints show whether the guest clears them. */
    private static final long ENOUGH = 64L << 20;
    /** Bytes a second. What comes more slowly is not waited for. */
    private static final long LEAST_RATE = 256L << 20;

    /** Before that a rate says little. */
    private static final Duration SETTLED = Duration.ofMillis(300);

    private static final int SAMPLES = 1024;

    /** The guest's driver. */
    interface Driver {
        void start();

        /** The driver has its pages back. */
        void finish();

        Hints hints();
    }

    /**
     * What a session has brought.
     *
     * @param bytes hinted so far
     * @param over no more come
     */
    record Hints(long bytes, boolean over) {}

    /** What a test does otherwise. */
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
     * Waits as long as hints come fast.
     *
     * @return true if the guest clears what it hints, and is not to be asked again
     * @throws org.exomem.migration.MigrationCancelledException if the migration is cancelled meanwhile
     */
    static boolean run(GuestPages memory, Driver driver, Time time, CancelToken cancel) throws IOException {
        return new ClearedFirst(memory, driver, time, cancel).run();
    }

    private boolean run() throws IOException {
        ContentSample sample = new ContentSample(memory, SAMPLES);
        boolean clears = false;
        driver.start();
        try {
            clears = follow(sample);
            return clears;
        } finally {
            driver.finish();
            if (!clears) {
                time.pass(AFTERWARDS);
            }
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
