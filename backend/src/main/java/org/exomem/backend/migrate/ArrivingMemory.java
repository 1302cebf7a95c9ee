package org.exomem.backend.migrate;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.linux.LinuxException;
import org.exomem.migration.PageSink;
import org.exomem.migration.pager.OwedPages;
import org.exomem.migration.pager.PagePlacer;
import org.exomem.migration.pager.PageSource;
import org.exomem.migration.pager.Pager;
import org.exomem.migration.pager.PagerState;
import org.exomem.migration.pager.VmmGoneException;
import org.exomem.migration.stream.destination.OwedMemory;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory of a VMM while pages are owed to its guest by another host. A pager asks for what somebody waits for; the threads of the
 * migration's data connections place what comes. Safe for use by several threads.
 */
final class ArrivingMemory implements OwedMemory, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ArrivingMemory.class);
    /** The kernel puts a page off while the VMM changes its mappings; it does not do that for long. */
    private static final int TRIES = 1000;

    private final String vm;
    private final PagedMemory memory;
    private final Pager pager;
    private final OwedPages pages;
    private final PageBits promised;
    private final CompletableFuture<Void> arrived = new CompletableFuture<>();
    /** What the source was asked for since it came. */
    private volatile PageBits asked;

    private volatile WantedPage want = page -> {
        throw new IOException("page " + page + " is needed before the guest was paused at its source");
    };

    /**
     * Serves the memory from now on; nothing is asked for before {@link #begin}.
     *
     * @param memory closed with this; stays the caller's if this fails
     * @param promised pages that are missing in it; not changed any more
     */
    ArrivingMemory(String vm, PagedMemory memory, PageBits promised) throws LinuxException {
        this.vm = vm;
        this.memory = memory;
        this.promised = promised;
        this.asked = new PageBits(promised.pages());
        this.pages = OwedPages.growing(promised);
        this.pager = Pager.start(vm, memory.memory(), pages, new Source(), Optional.empty(), new Pager.Watcher() {});
        pager.end().thenAccept(this::ended);
    }

    /**
     * Has all that is owed be missing, and asks for what somebody waits for; once.
     *
     * @param owed those that were promised too
     * @param wants asks the source for a page
     */
    void begin(PageBits owed, WantedPage wants) throws IOException {
        PageBits more = new PageBits(owed.pages());
        more.copyOf(owed);
        more.andNot(promised);
        want = wants;
        // Before they are missing: a page that is missing and not owed becomes zeros.
        pages.add(more);
        memory.emptyAlso(more);
        pages.complete();
        pager.arrived();
        // Somebody may have needed a page before it could be asked for, where an earlier process has begun.
        pager.tryAgain();
    }

    private void ended(PagerState end) {
        switch (end.status()) {
            case COMPLETED -> arrived.complete(null);
            case VMM_ENDED -> arrived.completeExceptionally(new IOException("the VMM has ended"));
            // Another exomem goes on.
            default -> end.reason().ifPresent(why -> LOG.error("{}: nobody serves its memory any more: {}", vm, why));
        }
    }

    /** Of the VMM. */
    int pid() {
        return memory.pid();
    }

    /** Of the files, in their order. */
    List<Path> paths() {
        return memory.paths();
    }

    PagerState state() {
        return pager.state();
    }

    /** Asks for a page once. */
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
            throw new IllegalStateException("the source sends by itself what nobody waits for");
        }
    }

    @Override
    public PageSink sink() {
        return new Sink(pager.placer());
    }

    private final class Sink implements PageSink {
        private final PagePlacer placer;

        Sink(PagePlacer placer) {
            this.placer = placer;
        }

        @Override
        public void pages(long first, MemorySegment content) throws IOException {
            long count = Pages.floor(content.byteSize());
            for (int tries = 0; placer.isAnyOwed(first, count); tries++) {
                if (tries == TRIES) {
                    throw new IOException("page " + first + " of " + vm + " can't be placed");
                }
                try {
                    placer.copyOwed(first, count, content.address());
                } catch (VmmGoneException e) {
                    // Its memory goes before its process does: the source is to be told that, and not of a lost
                    // connection.
                    arrived.completeExceptionally(e);
                    return;
                }
            }
            pager.arrived();
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
        pager.close();
        try {
            memory.memory().leave();
        } catch (IOException | IllegalStateException e) {
            LOG.warn("{}: its VMM may wait for memory that does not come: {}", vm, e.getMessage());
        }
    }

    @Override
    public CompletableFuture<Void> arrived() {
        return arrived;
    }

    /** Leaves all as it is: whoever needs a page waits for the next exomem. */
    @Override
    public void close() {
        pager.close();
        memory.close();
    }
}
