package org.exomem.backend.migrate;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PageSink;
import org.exomem.migration.pager.OwedPages;
import org.exomem.migration.pager.PagePlacer;
import org.exomem.migration.pager.PageSource;
import org.exomem.migration.pager.Pager;
import org.exomem.migration.pager.PagerState;
import org.exomem.migration.pager.VmmGoneException;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory of a VMM whose guest runs here while another host still owes pages to it (post-copy). A pager asks the source
 * for the pages that a thread waits for. The threads of the migration's data connections place the pages that arrive. Safe
 * for use by several threads.
 */
final class ArrivingMemory implements PostCopyMemory, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ArrivingMemory.class);
    /**
     * How often a placement is tried again: the kernel refuses a placement (EAGAIN) while the VMM changes its mappings, but
     * only for a short time.
     */
    private static final int TRIES = 1000;

    private static final long RETRY_MILLIS = 1000;
    private static final long FULL_NANOS = 50_000_000;

    private final String vm;
    private final PagedMemory memory;
    /** Replaced by a new pager after one has failed. */
    private volatile Pager pager;

    private final OwedPages pages;
    private final PageBits promised;
    private final CompletableFuture<Void> arrived = new CompletableFuture<>();
    /** True while the host has no memory for the pages that arrive. */
    private final AtomicBoolean full = new AtomicBoolean();

    private boolean closed;
    /** The pages that were requested on the source's present connection. */
    private volatile PageBits asked;

    private volatile WantedPage want = page -> {
        throw new IOException("page " + page + " was requested before the guest was paused at its source");
    };

    /**
     * Serves the memory from now on. No page is requested before {@link #begin}.
     *
     * @param memory closed with this; it remains the caller's if this constructor fails
     * @param promised pages that are missing in {@code memory}; never changed afterwards
     * @throws LinuxException if no pager can serve the memory
     */
    ArrivingMemory(String vm, PagedMemory memory, PageBits promised) throws LinuxException {
        this.vm = vm;
        this.memory = memory;
        this.promised = promised;
        this.asked = new PageBits(promised.pages());
        this.pages = OwedPages.growing(promised);
        this.pager = serve();
        pager.end().thenAccept(this::ended);
    }

    private Pager serve() throws LinuxException {
        return Pager.start(vm, memory.memory(), pages, new Source(), Optional.empty(), new Pager.Watcher() {});
    }

    /**
     * Makes all owed pages missing, and requests the pages that threads wait for. Called once.
     *
     * @param owed all owed pages, including those that were promised
     * @param wants requests a page from the source
     * @throws IOException if the pages can't be made missing
     */
    void begin(PageBits owed, WantedPage wants) throws IOException {
        PageBits more = new PageBits(owed.pages());
        more.copyOf(owed);
        more.andNot(promised);
        want = wants;
        // Before the pages are emptied: a page that is missing and not owed becomes zeros.
        pages.add(more);
        memory.emptyAlso(more);
        pages.complete();
        pager.arrived();
        // If an earlier process began this, a thread may have touched a page before it could be requested.
        pager.tryAgain();
    }

    private void ended(PagerState end) {
        switch (end.status()) {
            case COMPLETED -> arrived.complete(null);
            case VMM_ENDED -> arrived.completeExceptionally(new IOException("the VMM has ended"));
            default -> failed(end.reason().orElse("its pager has ended"));
        }
    }

    /** Serves the memory again after a while, unless this was closed: then another exomem goes on. */
    private void failed(String why) {
        synchronized (this) {
            if (closed) {
                return;
            }
        }
        LOG.error("{}: its memory is not served; exomem retries: {}", vm, why);
        CompletableFuture.delayedExecutor(RETRY_MILLIS, TimeUnit.MILLISECONDS).execute(this::serveAgain);
    }

    private void serveAgain() {
        Pager next;
        synchronized (this) {
            if (closed) {
                return;
            }
            try {
                next = serve();
                pager = next;
            } catch (LinuxException | RuntimeException | Error e) {
                failed(MigrationFailure.text(e));
                return;
            }
        }
        next.end().thenAccept(this::ended);
    }

    private void closePager() {
        synchronized (this) {
            closed = true;
        }
        pager.close();
    }

    /** The process id of the VMM. */
    int pid() {
        return memory.pid();
    }

    /** The paths of the RAM files, in the order of the files. */
    List<Path> paths() {
        return memory.paths();
    }

    PagerState state() {
        return pager.state();
    }

    /** Requests each page once from the source. */
    private final class Source implements PageSource {
        @Override
        public void demand(long page, PagePlacer into) throws IOException {
            PageBits before = asked;
            if (!before.contains(page)) {
                want.ask(page);
                before.add(page);
            }
        }

        @Override
        public void prefetch(long first, long count, PagePlacer into) {
            throw new IllegalStateException("the source sends pages by itself that no access waits for");
        }
    }

    @Override
    public PageSink sink(BooleanSupplier counts) {
        return new Sink(pager.placer(), counts);
    }

    private final class Sink implements PageSink {
        private final PagePlacer placer;

        private final BooleanSupplier counts;

        Sink(PagePlacer placer, BooleanSupplier counts) {
            this.placer = placer;
            this.counts = counts;
        }

        @Override
        public void pages(long first, MemorySegment content) throws IOException {
            long count = Pages.floor(content.byteSize());
            for (int tries = 0; placer.isAnyOwed(first, count); tries++) {
                if (tries == TRIES) {
                    throw new IOException("page " + first + " of " + vm + " can't be stored");
                }
                try {
                    placer.copyOwed(first, count, content.address());
                } catch (VmmGoneException e) {
                    // A VMM's memory goes before its process ends: report the end of the VMM to the source, not a lost
                    // connection.
                    arrived.completeExceptionally(e);
                    return;
                } catch (LinuxException e) {
                    if (e.errno() != Errno.ENOMEM || !counts.getAsBoolean()) {
                        throw e;
                    }
                    // The wait has no limit (PGR-STALL-1).
                    tries = 0;
                    awaitMemory(e);
                }
            }
            if (full.compareAndSet(true, false)) {
                LOG.info("{}: the host has memory again for arriving pages", vm);
                pager.goesOn();
            }
            pager.arrived();
        }

        private void awaitMemory(LinuxException e) {
            if (full.compareAndSet(false, true)) {
                LOG.warn(
                        "{}: the host has no memory for arriving pages, and accesses to missing pages wait: {}",
                        vm,
                        e.getMessage());
            }
            pager.stalled(e);
            LockSupport.parkNanos(FULL_NANOS);
        }

        @Override
        public void zeros(long first, long count) {
            placer.zeros(first, count);
            pager.arrived();
        }

        @Override
        public void free(long first, long count) {
            throw new IllegalStateException("a free page is not owed");
        }
    }

    @Override
    public boolean isFull() {
        return full.get();
    }

    @Override
    public PageBits owed() {
        return pager.owed();
    }

    @Override
    public void again() {
        asked = new PageBits(asked.pages());
        pager.tryAgain();
    }

    @Override
    public void abandon() {
        closePager();
        try {
            memory.memory().leave();
        } catch (IOException | IllegalStateException e) {
            LOG.warn("{}: its VMM may wait for memory that does not arrive: {}", vm, e.getMessage());
        }
    }

    @Override
    public CompletableFuture<Void> arrived() {
        return arrived;
    }

    /** Leaves the memory unchanged: a thread that needs a page waits for the next exomem. */
    @Override
    public void close() {
        closePager();
        memory.close();
    }
}
