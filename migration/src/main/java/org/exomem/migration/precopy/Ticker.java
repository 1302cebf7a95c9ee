package org.exomem.migration.precopy;

import java.util.concurrent.locks.LockSupport;

/** The clock of the engine's thread. Tests replace it. */
interface Ticker {
    /** The clock of this process. */
    Ticker SYSTEM = new Ticker() {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public void pass(long nanos) {
            LockSupport.parkNanos(nanos);
        }
    };

    long nanoTime();

    /** Waits about that time, or less. */
    void pass(long nanos);
}
