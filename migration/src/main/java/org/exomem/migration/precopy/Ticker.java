package org.exomem.migration.precopy;

import java.util.concurrent.locks.LockSupport;

/** Time, as the engine's thread knows it. */
interface Ticker {
    /** The time of this process. */
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

    /** Lets about so much time pass, or less. */
    void pass(long nanos);
}
