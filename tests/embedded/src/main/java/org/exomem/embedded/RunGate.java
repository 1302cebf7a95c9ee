package org.exomem.embedded;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Where the guest's processors are let in to run and where a pause waits for them to come out. A processor comes out at
 * least every millisecond, and rests outside. For any number of threads.
 */
final class RunGate {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private boolean running;
    private boolean closed;
    private int inside;
    private long calls;
    private volatile boolean wanted;

    /** Waits until the guest runs, and goes in. Returns false, outside, if it never will again. */
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

    /** Comes out. What was done inside is seen by whoever waits in {@link #stop}. */
    void leave() {
        lock.lock();
        try {
            inside--;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** True if a processor that is inside is waited for. */
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

    /** Rests outside, until the time is over or there was a call since {@code callsSeen}. */
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

    /** Ends all rests: there is something new to do. */
    void call() {
        lock.lock();
        try {
            calls++;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Lets processors in. */
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

    /** Lets no processor in any more, and waits until all are out. */
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

    /** Like {@link #stop}, with a limit. Returns whether all are out. */
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
