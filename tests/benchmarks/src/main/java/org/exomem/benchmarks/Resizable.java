package org.exomem.benchmarks;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;

/** A balloon or a memory device, told its size over whatever its owner speaks. Sizes in bytes. */
interface Resizable {
    void resize(long bytes) throws IOException;

    /** What the guest has come to. */
    long size() throws IOException;

    /**
     * Resizes, and waits until the guest has got there; returns how many ms that took.
     *
     * @param lookAgain each look wakes threads of what is measured
     */
    default double millisTo(long bytes, Duration lookAgain, Duration limit) throws IOException {
        long start = System.nanoTime();
        resize(bytes);
        Awaitility.await()
                .pollDelay(lookAgain)
                .pollInterval(lookAgain)
                .atMost(limit)
                .until(() -> size() == bytes);
        return (System.nanoTime() - start) / (double) TimeUnit.MILLISECONDS.toNanos(1);
    }
}
