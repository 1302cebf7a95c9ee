package org.exomem.migration.pager;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PollSet;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.pager.PagerState.Status;
import org.exomem.pages.PageBits;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the page faults of one VMM on a thread of its own. Another thread brings pages that no thread waits for, and pauses
 * while one waits. When all pages have arrived, the pager leaves the VMM.
 *
 * <pre>
 *            it can't be had now
 *  SERVING ----------------------> STALLED
 *   |   ^------ it is there again ----+
 *   |
 *   +-- all have arrived --> COMPLETED      +-- the VMM ends --> VMM_ENDED      +-- close --> CLOSED
 * </pre>
 *
 * <p>The memory itself shows which pages have arrived. So after a pager was killed, the next one can continue, and threads
 * that wait do so until it begins (PGR-AGAIN-2). Safe for use by several threads.
 */
public final class Pager implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Pager.class);

    private static final long RETRY_NANOS = 100_000_000;
    private static final long BACKGROUND_RETRY_NANOS = 200_000_000;
    /** The time to serve one or two faults. */
    private static final long STAND_BACK_NANOS = 20_000;

    private static final int FOREVER = -1;
    private static final int FAULT = 0;
    private static final int WAKE = 1;
    private static final int PROCESS = 2;
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(5);

    private final String name;
    private final Memory memory;
    private final OwedPages owed;
    private final Watcher watcher;
    private final FaultServer faults;
    private final Optional<Background> background;
    private final EventFd wake;
    private final CompletableFuture<PagerState> end = new CompletableFuture<>();
    private volatile Status status = Status.SERVING;
    private volatile Optional<String> trouble = Optional.empty();
    private volatile Optional<String> reason = Optional.empty();
    private volatile boolean stopping;
    private volatile boolean closing;
    private volatile boolean again;

    /** The memory that is served. */
    public interface Memory {
        AddressSpace space();

        /** Readable when a thread waits. */
        Fd faults();

        /** Readable when the VMM has ended. */
        Fd process();

        MappedPages mapped();

        /**
         * Ends the watch for missing pages, as all pages have arrived. On the pager's thread.
         *
         * @throws VmmGoneException if the VMM has ended
         * @throws IOException if that is not possible now
         */
        void leave() throws IOException;
    }

    /** Notified of the progress, on threads of the pager. */
    public interface Watcher {
        /** Pages are not available, or can't be placed. The pager tries again. */
        default void stalled(String why) {}

        default void goesOn() {}

        /** All pages of the working set have arrived, or there is none. */
        default void setArrived() {}

        /** The pager has ended. */
        default void ended(PagerState state) {}
    }

    /**
     * The order of the background.
     *
     * @param workingSet pages that come first
     * @param after the delay before all other pages
     */
    public record Prefetch(Optional<PageBits> workingSet, Duration after) {
        /** No delay and no working set. */
        public static final Prefetch AT_ONCE = new Prefetch(Optional.empty(), Duration.ZERO);
    }

    private record Background(Prefetch wish, Prefetcher prefetcher) {}

    private Pager(
            String name, Memory memory, OwedPages owed, PageSource source, Optional<Prefetch> prefetch, Watcher watcher)
            throws LinuxException {
        this.name = name;
        this.memory = memory;
        this.owed = owed;
        this.watcher = watcher;
        Touches touches = new Touches();
        this.faults = new FaultServer(memory.space(), memory.mapped(), owed, source, touches);
        this.background = prefetch.map(wish -> new Background(
                wish,
                new Prefetcher(
                        faults,
                        new PrefetchOrder(owed, touches, wish.workingSet()),
                        source,
                        new PagePlacer(memory.space().giver(), memory.mapped(), owed))));
        this.wake = new EventFd();
    }

    /**
     * Begins to serve. Threads that wait already touch their pages again, because an earlier pager may have taken their
     * touches without an answer.
     *
     * @param name for people
     * @param memory whose missing pages are watched already; remains the caller's, and must stay open until the pager has
     *     ended
     * @param owed all other missing pages are zeros
     * @param prefetch empty if the source sends the remaining pages by itself
     * @throws LinuxException EMFILE, …
     */
    public static Pager start(
            String name, Memory memory, OwedPages owed, PageSource source, Optional<Prefetch> prefetch, Watcher watcher)
            throws LinuxException {
        Pager pager = new Pager(name, memory, owed, source, prefetch, watcher);
        Thread.ofPlatform().name("pager-" + name).daemon().start(pager::run);
        return pager;
    }

    /** The present state. */
    public PagerState state() {
        Status now = status;
        Optional<String> why = now == Status.SERVING ? trouble : reason;
        return new PagerState(
                now == Status.SERVING && why.isPresent() ? Status.STALLED : now,
                owed.pages(),
                owed.left(),
                faults.faults(),
                faults.zeroFaults(),
                background.map(other -> other.prefetcher.prefetched()).orElse(0L),
                why);
    }

    /** The owed pages that threads have waited for so far. */
    public PageBits touched() {
        return faults.touched();
    }

    /** Completes when the pager has ended, on a thread of the pager. */
    public CompletableFuture<PagerState> end() {
        return end.copy();
    }

    /** Lets all threads that wait touch their pages again, so that the source is asked for them again. */
    public void tryAgain() {
        again = true;
        signal();
    }

    /** Returns a new placer into the memory, for one thread. Call {@link #arrived} after it has placed pages. */
    public PagePlacer placer() {
        return new PagePlacer(memory.space().giver(), memory.mapped(), owed);
    }

    /** A copy of the set of owed pages. */
    public PageBits owed() {
        return owed.copy();
    }

    /** Must be called by a source that placed pages from a thread of its own. */
    public void arrived() {
        if (owed.left() == 0) {
            signal();
        }
    }

    private void run() {
        // Without the right to it, its priority is normal.
        boolean first = Urgency.first();
        LOG.debug("pager {}: {} pages are owed, faults come first: {}", name, owed.left(), first);
        Status how = Status.CLOSED;
        try {
            Thread prefetching = background
                    .map(other -> Thread.ofPlatform()
                            .name("prefetch-" + name)
                            .daemon()
                            .start(() -> prefetch(other.wish, other.prefetcher)))
                    .orElse(null);
            try {
                faults.again();
                how = serve();
            } finally {
                stopping = true;
                if (prefetching != null) {
                    LockSupport.unpark(prefetching);
                    prefetching.join();
                }
            }
            if (how == Status.COMPLETED) {
                // Not before no thread has to be served any more.
                how = Status.CLOSED;
                leave();
                how = Status.COMPLETED;
            }
        } catch (VmmGoneException e) {
            how = Status.VMM_ENDED;
            reason = Optional.of(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            LOG.warn("pager {}: it has failed: {}", name, e.getMessage());
            reason = Optional.of(MigrationFailure.text(e));
        } catch (RuntimeException | Error e) {
            // Errors too: the owner must learn why no thread is served any more.
            LOG.error("pager {}: it ends by an internal error of exomem, please report it", name, e);
            reason = Optional.of("internal error of exomem: " + e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            finish(how);
        }
    }

    /**
     * Tries again if it fails, for example because a debugger is attached to the VMM. Meanwhile touches of pages of zeros
     * are answered.
     */
    private void leave() throws IOException {
        PollSet ready = new PollSet(memory.faults(), wake.fd(), memory.process());
        boolean failed = false;
        while (true) {
            try {
                if (failed) {
                    failed = false;
                    faults.again();
                }
                memory.leave();
                return;
            } catch (VmmGoneException e) {
                throw e;
            } catch (IOException e) {
                if (closing) {
                    throw e;
                }
                stalled(e);
            }
            if (ready.await((int) (RETRY_NANOS / 1_000_000))) {
                if (ready.isReady(WAKE)) {
                    wake.drain();
                }
                failed = !tryToServe();
            }
        }
    }

    private boolean tryToServe() throws VmmGoneException {
        try {
            faults.serve();
            return true;
        } catch (VmmGoneException e) {
            throw e;
        } catch (IOException e) {
            stalled(e);
            return false;
        }
    }

    /** Not after it was closed: the descriptor's number may belong to another file by then. */
    private void signal() {
        synchronized (wake) {
            if (wake.fd().isOpen()) {
                wake.signal();
            }
        }
    }

    private void finish(Status how) {
        status = how;
        synchronized (wake) {
            wake.close();
        }
        PagerState state = state();
        try {
            watcher.ended(state);
        } finally {
            end.complete(state);
        }
    }

    /** Returns the final status. */
    private Status serve() throws IOException {
        PollSet ready = new PollSet(memory.faults(), wake.fd(), memory.process());
        Retry retry = new Retry();
        while (true) {
            if (stopping) {
                return Status.CLOSED;
            }
            if (owed.left() == 0) {
                return Status.COMPLETED;
            }
            boolean any = ready.await(retry.millis());
            if (any && ready.isReady(PROCESS)) {
                throw new VmmGoneException();
            }
            if (any && ready.isReady(WAKE)) {
                wake.drain();
            }
            retry.look();
            if (any && ready.isReady(FAULT)) {
                if (!tryToServe()) {
                    retry.failed();
                }
            }
        }
    }

    /** Lets threads touch their pages again that could not be answered. All others are served meanwhile. */
    private final class Retry {
        private boolean waiting;
        private boolean failedLately;
        private long at;

        int millis() {
            return waiting ? (int) Math.max(0, (at - System.nanoTime()) / 1_000_000 + 1) : FOREVER;
        }

        void failed() {
            failedLately = true;
            if (!waiting) {
                waiting = true;
                at = System.nanoTime() + RETRY_NANOS;
            }
        }

        void look() {
            if (again) {
                again = false;
                faults.again();
            }
            if (waiting && System.nanoTime() - at >= 0) {
                if (failedLately) {
                    failedLately = false;
                    at = System.nanoTime() + RETRY_NANOS;
                    faults.again();
                } else {
                    waiting = false;
                    goesOn();
                }
            }
        }
    }

    /**
     * Must be called by the user of a {@link #placer} when pages can't be placed now, and it tries again. Any thread may
     * call this.
     */
    public void stalled(IOException e) {
        String why = String.valueOf(e.getMessage());
        boolean news = trouble.isEmpty();
        trouble = Optional.of(why);
        if (news) {
            LOG.debug("pager {}: pages can't be read; accesses to missing pages wait: {}", name, why);
            watcher.stalled(why);
        }
    }

    /** Must be called after {@link #stalled} when pages can be placed again. Any thread may call this. */
    public void goesOn() {
        if (trouble.isPresent()) {
            trouble = Optional.empty();
            watcher.goesOn();
        }
    }

    /** Stops serving: threads that touch missing pages wait from now on. Waits for the pager's threads, 5 s at most. */
    @Override
    public void close() {
        closing = true;
        stopping = true;
        signal();
        try {
            end.get(CLOSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("pager {}: it does not end", name);
        }
    }

    /** Brings pages that no thread waits for, on the background's thread. */
    private void prefetch(Prefetch wish, Prefetcher prefetcher) {
        Urgency.last();
        boolean failed = false;
        boolean told = false;
        long rest = System.nanoTime() + wish.after().toNanos();
        while (!stopping && owed.left() > 0) {
            if (!told && !prefetcher.bringsSet()) {
                told = true;
                watcher.setArrived();
            }
            long early = rest - System.nanoTime();
            try {
                switch (prefetcher.step(early <= 0)) {
                    case STOOD_BACK -> LockSupport.parkNanos(STAND_BACK_NANOS);
                    case NOTHING_WANTED -> LockSupport.parkNanos(Math.max(STAND_BACK_NANOS, early));
                    case BROUGHT -> {
                        if (failed) {
                            failed = false;
                            goesOn();
                        }
                    }
                }
            } catch (VmmGoneException e) {
                return;
            } catch (IOException e) {
                failed = true;
                stalled(e);
                LockSupport.parkNanos(BACKGROUND_RETRY_NANOS);
            }
        }
        arrived();
    }
}
