package org.exomem.benchmarks;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;

/** A balloon or a memory device that can be resized, over the protocol of its owner. Sizes in bytes. */
interface Resizable {
    void resize(long bytes) throws IOException;

    /** The size that the guest has reached. */
    long size() throws IOException;

    /**
     * Resizes, and waits until the guest has reached the size. Returns the milliseconds that took.
     *
     * @param lookAgain the interval of queries, each of which wakes threads of the measured system
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
