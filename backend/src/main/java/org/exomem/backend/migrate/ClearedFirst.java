package org.exomem.backend.migrate;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
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
    /** Pages from all over memory that were not zeros. */
    private final List<Long> sample = new ArrayList<>();

    private long pagesPerSample;

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
        choose();
        boolean clears = false;
        driver.start();
        try {
            clears = follow();
            return clears;
        } finally {
            driver.finish();
            if (!clears) {
                time.pass(AFTERWARDS);
            }
        }
    }

    private void choose() throws IOException {
        int samples = (int) Math.min(SAMPLES, memory.pages());
        pagesPerSample = memory.pages() / samples;
        SplittableRandom random = new SplittableRandom();
        for (int i = 0; i < samples; i++) {
            long page = i * pagesPerSample + random.nextLong(pagesPerSample);
            sample.add(page);
        }
        cleared();
    }

    private boolean follow() throws IOException {
        long start = time.nanos();
        long first = start;
        long cleared = 0;
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
            cleared += cleared();
            boolean clears = cleared >= hints.bytes() / 4;
            long since = now - first;
            boolean tooSlow = since > SETTLED.toNanos() && hints.bytes() < LEAST_RATE * (since / 1e9);
            if (hints.over() || tooSlow || hints.bytes() >= ENOUGH && !clears) {
                return clears;
            }
        }
    }

    /** Returns about how many bytes are zeros now that were not when this was asked the last time. */
    private long cleared() throws IOException {
        int before = sample.size();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(memory.pageSize(), Long.BYTES);
            MemorySegment zeros = arena.allocate(memory.pageSize(), Long.BYTES);
            List<Long> left = new ArrayList<>();
            for (long number : sample) {
                memory.read(number, page);
                if (page.mismatch(zeros) >= 0) {
                    left.add(number);
                }
            }
            sample.clear();
            sample.addAll(left);
        }
        return (before - sample.size()) * pagesPerSample * memory.pageSize();
    }
}
