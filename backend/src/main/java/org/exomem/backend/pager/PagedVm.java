package org.exomem.backend.pager;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.exomem.backend.pager.PagedState.Status;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.migration.pager.OwedPages;
import org.exomem.migration.pager.Pager;
import org.exomem.migration.pager.PagerState;
import org.exomem.pages.Pages;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves one VM whose memory comes on demand, until all pages have arrived or its VMM ends. After a failure it tries again,
 * while threads that need a page wait. Safe for use by several threads:
 *
 * <pre>
 *           the image, or the VMM's files, can't be used now
 *  SERVING -------------------------------------------------> STALLED
 *   |   ^---------------- it can again ------------------------+
 *   |
 *   +-- all have arrived, and devices are plugged in --> COMPLETED
 *   +-- the VMM ends --> VMM_ENDED
 * </pre>
 */
final class PagedVm {
    private static final Logger LOG = LoggerFactory.getLogger(PagedVm.class);

    private static final Duration RETRY = Duration.ofSeconds(2);
    private static final Duration FIRST = Duration.ofSeconds(1);
    private static final Duration LOG_AGAIN = Duration.ofSeconds(10);
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(6);

    private final PagerRecord record;
    private final PagerFile file;
    private final Outside outside;
    private final Instant since = Instant.now();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final CompletableFuture<Void> left = new CompletableFuture<>();
    private final CompletableFuture<Void> setArrived = new CompletableFuture<>();
    private final Object pagerLock = new Object();
    private volatile @Nullable Serving serving;
    private long loggedAt;
    /** The last state, kept in place of the pager, which has as many bits as its VM has pages. */
    private volatile @Nullable PagedState ended;

    private volatile Status status = Status.SERVING;
    private volatile Optional<String> reason = Optional.empty();

    /** The owner. Called on this class's threads. */
    interface Outside {
        /** The status has changed. */
        void changed(PagedState state);

        /** All pages have arrived, so the devices can be plugged in. Returns what could not be done, for people. */
        Optional<String> arrived(PagerRecord record, ImageFolder image);

        /** The VM is no longer served. */
        void over(String vm);
    }

    /** A VMM's memory and its source. */
    record Work(PagedMemory memory, SavedMemory saved) implements AutoCloseable {
        @Override
        public void close() {
            memory.close();
            saved.close();
        }
    }

    /** @param owed the number of owed pages at the beginning */
    private record Serving(Pager pager, long owed, long firstFaults) {
        Serving withFirst(PagerState state) {
            return new Serving(pager, owed, state.faults() - state.zeroFaults());
        }
    }

    PagedVm(PagerRecord record, PagerFile file, Outside outside) {
        this.record = record;
        this.file = file;
        this.outside = outside;
    }

    /** Begins with a VMM that this process has attached to. */
    void start(Work work) {
        begin(work);
    }

    /** Waits until the working set has arrived, if it is known, or until the limit (PGR-SET-4). */
    void awaitSet(Duration limit) {
        try {
            setArrived.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("{}: its guest starts before all of its working set has arrived", record.vm());
        }
    }

    /** Begins with what an earlier process has left. */
    void takeUp() {
        begin(null);
    }

    private void begin(@Nullable Work first) {
        Thread.ofPlatform().name("paged-" + record.vm()).daemon().start(() -> {
            try {
                run(first);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                setArrived.complete(null);
                left.complete(null);
            }
        });
    }

    private void run(@Nullable Work first) throws InterruptedException {
        Work next = first;
        while (closing.getCount() > 0) {
            try {
                Work work = next != null ? next : find();
                next = null;
                if (work == null || serve(work)) {
                    return;
                }
            } catch (IOException e) {
                stalled(String.valueOf(e.getMessage()));
            } catch (RuntimeException e) {
                LOG.error("{}: internal error of exomem, please report it", record.vm(), e);
                stalled(e.toString());
            }
            closing.await(RETRY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    /** Null if it is over. */
    private @Nullable Work find() throws IOException {
        switch (PagedMemory.takeUp(record.pid(), record.ram())) {
            case PagedMemory.Found.Ended _ -> {
                over(Status.VMM_ENDED, Optional.of("the VMM has ended"));
                return null;
            }
            case PagedMemory.Found.Nothing _ -> {
                completedBefore();
                return null;
            }
            case PagedMemory.Found.Taken(PagedMemory memory) -> {
                try {
                    SavedMemory saved = SavedMemory.open(record.image(), Optional.of(record.manifest()));
                    return new Work(memory, saved);
                } catch (IOException | RuntimeException e) {
                    memory.close();
                    throw e;
                }
            }
        }
    }

    /** Returns false to try again. */
    private boolean serve(Work given) throws IOException, InterruptedException {
        try (Work work = given) {
            work.saved().expectFits(work.memory().files());
            OwedPages owed =
                    new OwedPages(work.saved().pages().owedTo(work.memory().files()));
            LOG.info(
                    "{}: serving {} MiB of memory on demand from {}",
                    record.vm(),
                    Pages.bytes(owed.left()) >> 20,
                    record.image());
            long all = owed.left();
            WorkingSet set = new WorkingSet(work.saved(), owed.pages());
            Pager pager;
            synchronized (pagerLock) {
                if (closing.getCount() == 0) {
                    return true;
                }
                pager = Pager.start(
                        record.vm(),
                        work.memory().memory(),
                        owed,
                        work.saved().pages(),
                        Optional.of(set.prefetch()),
                        new Watcher());
                serving = new Serving(pager, all, 0);
            }
            goesOn();
            PagerState end = await(pager, set);
            return switch (end.status()) {
                case COMPLETED -> {
                    completed(work.saved().image());
                    yield true;
                }
                case VMM_ENDED -> {
                    over(Status.VMM_ENDED, end.reason());
                    yield true;
                }
                default -> {
                    if (closing.getCount() > 0) {
                        stalled(end.reason().orElse("the pager has ended"));
                    }
                    yield closing.getCount() == 0;
                }
            };
        }
    }

    private PagerState await(Pager pager, WorkingSet set) throws InterruptedException {
        try {
            PagerState end = ended(pager, FIRST);
            PagerState now = end != null ? end : pager.state();
            Serving before = serving;
            serving = before == null ? null : before.withFirst(now);
            if (end == null) {
                end = ended(pager, WorkingSet.DURATION.minus(FIRST));
            }
            set.add(pager.touched());
            return end != null ? end : pager.end().get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Null if it has not ended within the limit. */
    private static @Nullable PagerState ended(Pager pager, Duration limit)
            throws InterruptedException, ExecutionException {
        try {
            return pager.end().get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return null;
        }
    }

    /** Notified by the pager, on its threads. */
    private final class Watcher implements Pager.Watcher {
        @Override
        public void stalled(String why) {
            PagedVm.this.stalled(why);
        }

        @Override
        public void goesOn() {
            PagedVm.this.goesOn();
        }

        @Override
        public void setArrived() {
            setArrived.complete(null);
        }
    }

    private synchronized void stalled(String why) {
        boolean news = status != Status.STALLED || !reason.equals(Optional.of(why));
        reason = Optional.of(why);
        status = Status.STALLED;
        if (!news) {
            return;
        }
        // Limited, because the failure may come and go many times a second, for different pages.
        long now = System.nanoTime();
        if (loggedAt == 0 || now - loggedAt > LOG_AGAIN.toNanos()) {
            loggedAt = now;
            LOG.warn(
                    "{}: can't read its memory from {}; accesses to missing pages wait: {}",
                    record.vm(),
                    record.image(),
                    why);
        }
        outside.changed(state());
    }

    private synchronized void goesOn() {
        boolean news = status != Status.SERVING;
        reason = Optional.empty();
        status = Status.SERVING;
        if (news) {
            outside.changed(state());
        }
    }

    /** For an earlier process that was killed after all pages had arrived. */
    private void completedBefore() {
        try {
            ImageFolder image = ImageFolder.open(record.image());
            if (!Sha256.of(image.manifestBytes()).equals(record.manifest())) {
                throw new IOException(record.image() + " contains another image now");
            }
            completed(image);
        } catch (IOException e) {
            over(Status.COMPLETED, Optional.of("the list of its devices is no longer known: " + e.getMessage()));
        }
    }

    private void completed(ImageFolder image) {
        Optional<String> notes = outside.arrived(record, image);
        if (notes.isPresent() && closing.getCount() == 0) {
            // The next exomem plugs in the remaining devices.
            return;
        }
        over(Status.COMPLETED, notes);
    }

    private void over(Status how, Optional<String> why) {
        try {
            file.delete();
        } catch (IOException e) {
            LOG.warn("{} can't be removed: {}", file.path(), e.getMessage());
        }
        reason = why;
        status = how;
        ended = state();
        serving = null;
        LOG.info(
                "{}: memory on demand has ended: {}{}",
                record.vm(),
                how.word(),
                why.map(text -> ": " + text).orElse(""));
        outside.over(record.vm());
        outside.changed(state());
    }

    /** Any thread may call this. */
    PagedState state() {
        PagedState over = ended;
        if (over != null) {
            return over;
        }
        Serving now = serving;
        if (now == null) {
            return new PagedState(record.vm(), record.image(), record.pid(), status, since, 0, 0, 0, 0, 0, 0, reason);
        }
        PagerState of = now.pager().state();
        Status told = status;
        // The pager reports only the first reason.
        Optional<String> why =
                told == Status.STALLED && !of.status().isOver() ? of.reason().or(() -> reason) : reason;
        long first = now.firstFaults() > 0 ? now.firstFaults() : of.faults() - of.zeroFaults();
        return new PagedState(
                record.vm(),
                record.image(),
                record.pid(),
                told,
                since,
                Pages.bytes(of.owed()),
                Pages.bytes(now.owed() - of.owed()),
                of.faults(),
                of.zeroFaults(),
                first,
                Pages.bytes(of.prefetched()),
                why);
    }

    Path file() {
        return file.path();
    }

    /** Leaves everything to the next exomem. Waits for its threads, 6 s at most. */
    void close() {
        Serving now;
        synchronized (pagerLock) {
            closing.countDown();
            now = serving;
        }
        if (now != null) {
            now.pager().close();
        }
        try {
            left.get(CLOSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("{}: the pager of its memory does not end", record.vm());
        }
    }
}
