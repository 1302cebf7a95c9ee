package org.exomem.embedded;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The gate through which the guest's processors enter to run. A pause waits until all have left. A processor leaves at
 * least every millisecond, and rests outside. Safe for use by several threads.
 */
final class RunGate {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private boolean running;
    private boolean closed;
    private int inside;
    private long calls;
    private volatile boolean wanted;

    /** Waits until the guest runs, and enters. Returns false, without entering, if the guest will never run again. */
    boolean enter() throws InterruptedException {
        lock.lock();
        try {
            while (!running && !closed) {
                changed.await();
            }
            if (closed) {
                return false;
            }
            inside++;
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Leaves. A thread that waits in {@link #stop} sees all that was done inside. */
    void leave() {
        lock.lock();
        try {
            inside--;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** True if a thread waits for the processors to leave. */
    boolean isWantedOutside() {
        return wanted;
    }

    /** A number that {@link #call} changes. */
    long calls() {
        lock.lock();
        try {
            return calls;
        } finally {
            lock.unlock();
        }
    }

    /** Rests outside, until the time is over or {@link #call} was called since {@code callsSeen}. */
    void rest(long nanos, long callsSeen) throws InterruptedException {
        lock.lock();
        try {
            long left = nanos;
            while (left > 0 && calls == callsSeen && !closed) {
                left = changed.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Ends all rests, because there is new work. */
    void call() {
        lock.lock();
        try {
            calls++;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Lets processors enter. */
    void open() {
        lock.lock();
        try {
            running = true;
            wanted = closed;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Lets no processor enter any more, and waits until all have left. */
    void stop() {
        lock.lock();
        try {
            running = false;
            wanted = true;
            while (inside > 0) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Like {@link #stop}, with a limit. Returns whether all have left. */
    boolean close(long limit, TimeUnit unit) {
        lock.lock();
        try {
            closed = true;
            running = false;
            wanted = true;
            changed.signalAll();
            long left = unit.toNanos(limit);
            while (inside > 0 && left > 0) {
                left = changed.awaitNanos(left);
            }
            return inside == 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            lock.unlock();
        }
    }
}
