package org.exomem.backend.migrate;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.exomem.backend.state.ReplacedFile;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PageSink;
import org.exomem.migration.StreamFault;
import org.exomem.migration.pager.PresentPages;
import org.exomem.migration.pager.VmmGoneException;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A guest that runs here while pages are owed to it, and that an earlier process has left (STR-PST-9). Its VMM is not asked
 * anything until the source has connected again, because the VMM may wait for a page. Used by the threads of one migration.
 */
final class PostCopyVm implements Destination, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PostCopyVm.class);
    private static final Duration RETRY = Duration.ofSeconds(2);

    private final PostCopyArrival arrival;
    private final ReplacedFile file;
    /** Empty if all pages have arrived. */
    private final Optional<PagedMemory> memory;

    private final Map<String, Path> sockets;
    private final IncomingVm.Watcher watcher;
    private volatile @Nullable ArrivingMemory owed;
    private final CountDownLatch closing = new CountDownLatch(1);
    /** Completes when the guest is known to run, or is to stay paused. */
    private final CompletableFuture<Void> runs = new CompletableFuture<>();

    private boolean isPlugged;

    /** @param memory closed with this; empty if all pages have arrived */
    PostCopyVm(
            PostCopyArrival arrival,
            ReplacedFile file,
            Optional<PagedMemory> memory,
            Map<String, Path> sockets,
            IncomingVm.Watcher watcher) {
        this.arrival = arrival;
        this.file = file;
        this.memory = memory;
        this.sockets = Map.copyOf(sockets);
        this.watcher = watcher;
    }

    @Override
    public PageTarget open(MemoryDescription described, String source) throws IOException {
        throw new StreamFault("a guest already runs here");
    }

    @Override
    public OutputStream deviceState(String name) throws IOException {
        throw new StreamFault("a guest already runs here");
    }

    @Override
    public PageBits absent() throws IOException {
        PageBits absent = new PageBits(arrival.begun().memory().pages());
        if (memory.isPresent()) {
            absent.addAll();
            absent.andNot(PresentPages.of(memory.get().files()));
        }
        return absent;
    }

    @Override
    public PostCopyMemory owing(BegunMigration begun, PageBits pages, WantedPage want) throws IOException {
        if (memory.isEmpty()) {
            return new NothingOwed(pages.pages());
        }
        ArrivingMemory arriving = new ArrivingMemory(arrival.vm(), memory.get(), pages);
        arriving.begin(pages, want);
        owed = arriving;
        // Not earlier: the VMM may need a page for it.
        Thread.ofPlatform().name("owed-start-" + arrival.vm()).daemon().start(this::startUntilItRuns);
        return new StartedToo(arriving, runs);
    }

    /** True while no pager serves the VMM's memory. Then nothing else notices the end of the VMM. */
    boolean waitsForItsSource() {
        return owed == null;
    }

    @Override
    public void ready(ReceivedMigration received) throws IOException {
        throw new StreamFault("a guest already runs here");
    }

    @Override
    public void start() throws IOException {
        throw new StreamFault("a guest already runs here");
    }

    @Override
    public void lost(IOException why) {
        watcher.lost(String.valueOf(why.getMessage()));
    }

    @Override
    public void cameBack() {
        ArrivingMemory arriving = owed;
        if (arriving != null) {
            watcher.owing(arriving::state);
        }
    }

    /**
     * Starts the guest if the earlier process ended just before it did so. Waits for the VMM, which may wait for a page.
     *
     * @throws IOException if it is unknown whether the guest runs
     */
    void startIfNeeded() throws IOException {
        if (!arrival.started() && arrival.devices().running()) {
            try (QmpVmm vmm = QmpVmm.connect(arrival.qmp())) {
                if (!vmm.isRunning()) {
                    vmm.start();
                }
            } catch (IOException e) {
                throw new IOException("can't determine whether its guest runs: " + e.getMessage(), e);
            }
        }
        runs.complete(null);
    }

    private void startUntilItRuns() {
        String told = "";
        try {
            do {
                try {
                    startIfNeeded();
                    return;
                } catch (IOException | RuntimeException e) {
                    if (ProcessHandle.of(arrival.pid()).isEmpty()) {
                        runs.completeExceptionally(new VmmGoneException());
                        return;
                    }
                    String why = MigrationFailure.text(e);
                    if (!why.equals(told)) {
                        told = why;
                        watcher.note(why + ". exomem retries");
                    }
                }
            } while (!closing.await(RETRY.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends the migration: the guest runs with all of its memory, so no later process needs to know of it. */
    @Override
    public void started() {
        if (isPlugged) {
            return;
        }
        isPlugged = true;
        plug(arrival, sockets, watcher);
        delete();
    }

    /** Plugs in the devices that the VM had. */
    private static void plug(PostCopyArrival arrival, Map<String, Path> sockets, IncomingVm.Watcher watcher) {
        try (QmpVmm vmm = QmpVmm.connect(arrival.qmp())) {
            arrival.devices().plugInto(vmm, sockets, watcher::note);
            watcher.arrived(arrival.devices());
        } catch (IOException e) {
            watcher.note("its devices could not be plugged in: " + e.getMessage());
        }
    }

    @Override
    public void failed(IOException why) {
        delete();
    }

    private void delete() {
        try {
            file.delete();
        } catch (IOException e) {
            LOG.warn("{} can't be removed: {}", file.path(), e.getMessage());
        }
    }

    @Override
    public void turnedAway(String who, IOException why) {
        watcher.note(who + " was rejected: " + why.getMessage());
    }

    /** Leaves everything to the next exomem. */
    @Override
    public void close() {
        closing.countDown();
        ArrivingMemory arriving = owed;
        if (arriving != null) {
            arriving.close();
        } else {
            memory.ifPresent(PagedMemory::close);
        }
    }

    /** Memory that counts as arrived only when the guest runs too (STR-PST-6). */
    private record StartedToo(ArrivingMemory memory, CompletableFuture<Void> runs) implements PostCopyMemory {
        @Override
        public PageSink sink(BooleanSupplier counts) {
            return memory.sink(counts);
        }

        @Override
        public boolean isFull() {
            return memory.isFull();
        }

        @Override
        public PageBits owed() {
            return memory.owed();
        }

        @Override
        public void again() {
            memory.again();
        }

        @Override
        public void abandon() {
            memory.abandon();
        }

        @Override
        public CompletableFuture<Void> arrived() {
            CompletableFuture<Void> both = new CompletableFuture<>();
            memory.arrived().whenComplete((_, failure) -> {
                if (failure != null) {
                    both.completeExceptionally(failure);
                } else {
                    runs.whenComplete((_, ended) -> {
                        if (ended != null) {
                            both.completeExceptionally(ended);
                        } else {
                            both.complete(null);
                        }
                    });
                }
            });
            return both;
        }
    }

    /** For a guest that is known to run, and whose pages had all arrived before this process began. */
    private record NothingOwed(long pages) implements PostCopyMemory {
        @Override
        public PageSink sink(BooleanSupplier counts) {
            return PageTarget.NONE;
        }

        @Override
        public PageBits owed() {
            return new PageBits(pages);
        }

        @Override
        public void again() {}

        @Override
        public void abandon() {}

        @Override
        public CompletableFuture<Void> arrived() {
            return CompletableFuture.completedFuture(null);
        }
    }
}
