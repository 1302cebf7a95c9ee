package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.exomem.backend.state.ReplacedFile;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.cli.text.FileFault;
import org.exomem.migration.CancelToken;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pager.PagerState;
import org.exomem.migration.pager.VmmGoneException;
import org.exomem.migration.precopy.PagesOnTheWay;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One migration of one VM, or another task with its guest, on a thread of its own. Safe for use by several threads. */
final class Migration {
    private static final Logger LOG = LoggerFactory.getLogger(Migration.class);

    private static final Duration ROOM_LIMIT = Duration.ofSeconds(2);
    private static final Duration RETRY = Duration.ofSeconds(2);
    /** The time limit for the file system of the state directory (CTL-20). */
    private static final Duration LOOK_LIMIT = Duration.ofSeconds(8);
    /** The time between two checks whether a guest still needs this process. */
    private static final Duration LOOK = Duration.ofSeconds(1);

    private final VirtualMachine vm;
    private final Work work;
    private final KeptArrival arrival;
    private final Consumer<MigrationState> changed;
    private final long begin = System.nanoTime();
    /** Completed when it is known whether the guest may wait here for its memory. */
    private final CompletableFuture<Void> looked = new CompletableFuture<>();

    private final CompletableFuture<Void> begun = new CompletableFuture<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private final CancelToken cancel = new CancelToken();

    private Status status = Status.SETUP;
    /** The status before the connection was lost. */
    private Status before = Status.SETUP;

    private String peer;
    /**
     * When the guest ran at the destination, or the migration ended otherwise, by {@link System#nanoTime}. Clean-up after
     * that is not counted. 0 before.
     */
    private long end;

    private long memory;
    private BalloonFirst.@Nullable Result balloonFirst;
    private GuestWrites.@Nullable Found writes;
    private @Nullable Progress progress;
    private @Nullable Travelling travelling;
    private @Nullable Duration downtime;
    private @Nullable Report report;
    /** Cancels the sending of the pages that are owed to a guest that has left. */
    private @Nullable CancelToken abandon;

    private @Nullable ReceivedMigration received;
    /** Set at a destination with post-copy. */
    private @Nullable Supplier<PagerState> pager;

    private @Nullable String error;

    /** The kind of the task. */
    sealed interface Work {
        /** Waits for the VM. */
        record Receive(MigrationRequest request) implements Work {}

        /** Goes on with a guest that runs here while pages are owed to it, after an earlier process has ended. */
        record GoOn(PostCopyArrival arrival, ReplacedFile file) implements Work {}

        /** The guest leaves, or a copy of it is made. */
        record Leave(VmTask task) implements Work {}

        default Direction direction() {
            return switch (this) {
                case Receive _, GoOn _ -> Direction.INCOMING;
                case Leave(VmTask task) -> task.direction();
            };
        }

        default String peer() {
            return switch (this) {
                case Receive(MigrationRequest request) -> request.address().toString();
                case GoOn(PostCopyArrival arrival, ReplacedFile _) ->
                    arrival.listen().toString();
                case Leave(VmTask task) -> task.destination();
            };
        }
    }

    /** @param arrival called on the migration's own thread only */
    Migration(VirtualMachine vm, Work work, KeptArrival arrival, Consumer<MigrationState> changed) {
        this.vm = vm;
        this.work = work;
        this.arrival = arrival;
        this.changed = changed;
        this.peer = work.peer();
    }

    /**
     * Starts the migration's thread.
     *
     * @param before migrations that are over, and may still listen at the address
     * @return completes when the VM leaves, or when a source may connect; fails with {@link VirtualMachine.Refused} if
     *     neither happens
     */
    CompletableFuture<Void> start(Path qmp, List<Migration> before) {
        if (work instanceof Work.Leave) {
            begun.complete(null);
        } else if (work instanceof Work.Receive) {
            refuseWhenLate();
        }
        Thread.ofPlatform().name("migrate-" + vm.name()).daemon().start(() -> {
            run(qmp, before);
        });
        LOG.info("{}: {} {}", vm.name(), Outcome.begins(work.direction()), peer);
        changed.accept(state());
        return begun;
    }

    /** Fails the request after {@link #LOOK_LIMIT}, and cancels the migration: a later answer has no use. */
    private void refuseWhenLate() {
        looked.orTimeout(LOOK_LIMIT.toNanos(), TimeUnit.NANOSECONDS).exceptionally(late -> {
            cancel.cancel();
            begun.completeExceptionally(new VirtualMachine.Refused("VM \"" + vm.name()
                    + "\": can't determine whether its guest waits here for its memory: the file system of the state"
                    + " directory did not respond within "
                    + LOOK_LIMIT.toSeconds() + " s"));
            return null;
        });
    }

    private void look() throws IOException {
        try {
            arrival.expectNone();
        } finally {
            looked.complete(null);
        }
        cancel.check();
    }

    private void run(Path qmp, List<Migration> before) {
        try {
            switch (work) {
                case Work.Receive(MigrationRequest request) -> {
                    look();
                    before.forEach(Migration::endWaiting);
                    receive(qmp, request, arrival.file());
                }
                case Work.GoOn(PostCopyArrival owed, ReplacedFile file) -> goOn(owed, file);
                case Work.Leave(VmTask task) -> {
                    look();
                    task.run(vm, qmp, new Leaving(), cancel);
                    over(Status.COMPLETED, null);
                }
            }
        } catch (HandoverUncertainException e) {
            over(Status.FAILED, e.getMessage());
        } catch (IOException e) {
            if (owes() && work.direction() == Direction.INCOMING && cancel.isCancelled()) {
                over(Status.FAILED, "exomem has ended; the guest waits for the next exomem");
            } else if (cancel.isCancelled()) {
                over(Status.CANCELLED, "cancelled at this end");
            } else {
                over(Status.FAILED, e.getMessage() == null ? e.toString() : FileFault.text(e));
            }
        } catch (RuntimeException | Error e) {
            LOG.error("{}: a migration failed by an internal error of exomem, please report it", vm.name(), e);
            over(Status.FAILED, "internal error of exomem: " + e);
        } finally {
            ended.countDown();
        }
    }

    /** @param file for what the next exomem needs; empty if nothing can be kept */
    private void receive(Path qmp, MigrationRequest request, Optional<ReplacedFile> file) throws IOException {
        try (IncomingVm guest = new IncomingVm(
                        vm.name(),
                        QmpVmm.connect(qmp),
                        vm.sockets(),
                        request,
                        file,
                        new Arrival(request.stream().resumeWithin()));
                MigrationReceiver receiver =
                        MigrationReceiver.listen(request.address(), request.security(), guest.options(), guest)) {
            guest.listensAt(receiver.address());
            // A VMM may accept one QMP connection only.
            receive(receiver, guest::close);
        }
    }

    /** Tries again for as long as the VMM runs: its guest waits, and its source may connect again at any time. */
    private void goOn(PostCopyArrival arrival, ReplacedFile file) throws IOException {
        Arrival watcher = new Arrival(arrival.reconnectWithin());
        become(Status.POSTCOPY_ACTIVE, null);
        lost("exomem was restarted, and the source has not reconnected yet");
        CountDownLatch cancelled = new CountDownLatch(1);
        cancel.onCancel(cancelled::countDown);
        while (true) {
            IOException why;
            try {
                switch (PagedMemory.takeUp(arrival.pid(), arrival.ram())) {
                    case PagedMemory.Found.Ended _ -> {
                        file.delete();
                        throw new VmmGoneException();
                    }
                    case PagedMemory.Found.Nothing _ -> goOn(arrival, file, Optional.empty(), watcher);
                    case PagedMemory.Found.Taken(PagedMemory memory) ->
                        goOn(arrival, file, Optional.of(memory), watcher);
                }
                return;
            } catch (VmmGoneException | DestinationFault e) {
                throw e;
            } catch (IOException e) {
                why = e;
            }
            lost(MigrationFailure.text(why));
            try {
                if (cancelled.await(RETRY.toMillis(), TimeUnit.MILLISECONDS)) {
                    throw why;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw why;
            }
        }
    }

    private void goOn(PostCopyArrival arrival, ReplacedFile file, Optional<PagedMemory> memory, Arrival watcher)
            throws IOException {
        StreamOptions options = StreamOptions.defaults()
                .withFeatures(EnumSet.of(StreamFeature.RESUME, StreamFeature.POSTCOPY), Set.of())
                .withPlainAllowed(arrival.plain())
                .withResumeWithin(arrival.reconnectWithin());
        try (PostCopyVm guest = new PostCopyVm(arrival, file, memory, vm.sockets(), watcher)) {
            if (memory.isEmpty()) {
                // Before the source is told that the guest has arrived.
                guest.startIfNeeded();
            }
            try (MigrationReceiver receiver = MigrationReceiver.listen(
                    arrival.listen(), arrival.keys().read(), options, guest, Optional.of(arrival.begun()))) {
                if (memory.isPresent()) {
                    goOn(receiver, guest, arrival.pid(), file);
                    return;
                }
                // The earlier process was killed after all pages had arrived. The source may not know that yet.
                listens(receiver.address().toString());
                cancel.onCancel(receiver::cancel);
                guest.started();
                over(Status.COMPLETED, null);
                receiver.awaitHeard();
            }
        }
    }

    private void goOn(MigrationReceiver receiver, PostCopyVm guest, int pid, ReplacedFile file) throws IOException {
        CompletableFuture<ProcessHandle> vmmEnded =
                ProcessHandle.of(pid).map(ProcessHandle::onExit).orElseGet(CompletableFuture::new);
        CompletableFuture<Void> noticed = vmmEnded.thenAccept(process -> {
            if (guest.waitsForItsSource()) {
                receiver.cancel();
            }
        });
        try {
            receive(receiver, guest::close);
        } catch (IOException e) {
            if (vmmEnded.isDone() && guest.waitsForItsSource()) {
                file.delete();
                throw new VmmGoneException();
            }
            throw e;
        } finally {
            noticed.cancel(false);
        }
    }

    /** @param arrived runs when the guest is here with all of its memory */
    private void receive(MigrationReceiver receiver, Runnable arrived) throws IOException {
        listens(receiver.address().toString());
        cancel.onCancel(receiver::cancel);
        begun.complete(null);
        ReceivedMigration what = receiver.receive();
        synchronized (this) {
            received = what;
        }
        arrived.run();
        over(Status.COMPLETED, null);
        receiver.awaitHeard();
    }

    private synchronized void listens(String address) {
        peer = address;
    }

    /**
     * Cancels the migration. Returns false if it is over already. Has no effect on a guest that was handed over.
     *
     * @throws VirtualMachine.Refused if the guest runs here, and waits for memory that the source has
     */
    boolean cancel() {
        CancelToken what;
        synchronized (this) {
            if (status.isOver()) {
                return false;
            }
            if (owes() && work.direction() == Direction.INCOMING) {
                throw new VirtualMachine.Refused("VM \"" + vm.name() + "\" runs here, and waits for memory that " + peer
                        + " has: the guest can't be sent back. If that host is lost permanently, the guest is"
                        + " lost too: end its VMM");
            }
            what = abandon == null ? cancel : abandon;
        }
        what.cancel();
        return true;
    }

    /** Returns true if the migration is over and still listens at this address. */
    synchronized boolean holds(MigrationAddress address) {
        return work instanceof Work.Receive
                && status.isOver()
                && ended.getCount() > 0
                && peer.equals(address.toString());
    }

    /**
     * Ends the migration as {@link #cancel} does, because the process ends. But a guest that runs here and waits for its
     * memory is left to the next process. A guest that has left is sent the rest of its memory, until {@link #awaitEnd}
     * gives it up.
     */
    void leave() {
        synchronized (this) {
            // A source that must learn that its guest runs here gets a short time for that.
            if (status.isOver() || abandon != null) {
                return;
            }
        }
        cancel.cancel();
    }

    /**
     * Frees the address for another migration. A source that has not learnt by now that its guest runs here has to ask its
     * user.
     */
    private void endWaiting() {
        long end = System.nanoTime() + ROOM_LIMIT.toNanos();
        awaitEnd(ROOM_LIMIT, end, end);
    }

    /**
     * Stops waiting for a source to learn that its guest runs here. Returns false if this is not what the migration does.
     */
    private boolean letBe() {
        synchronized (this) {
            if (!status.isOver()) {
                return false;
            }
        }
        cancel.cancel();
        return true;
    }

    private void become(Status now, @Nullable String why) {
        synchronized (this) {
            status = now;
            error = why;
        }
        changed.accept(state());
    }

    private void lost(String why) {
        synchronized (this) {
            before = status == Status.RECONNECTING ? before : status;
        }
        become(Status.RECONNECTING, why);
    }

    private void back() {
        LOG.info("{}: the connection of its migration is restored", vm.name());
        become(before(), null);
    }

    private synchronized boolean hasPaused() {
        return (status == Status.RECONNECTING ? before : status) == Status.DEVICE;
    }

    /** True if the guest has left, and would wait forever for memory that this process has. */
    private synchronized boolean sendsOwed() {
        return abandon != null && owes();
    }

    /** True if the guest runs, here or at the destination, and pages are owed to it. */
    synchronized boolean owes() {
        return (status == Status.RECONNECTING ? before : status) == Status.POSTCOPY_ACTIVE;
    }

    private synchronized Status before() {
        return before;
    }

    private void over(Status how, @Nullable String why) {
        synchronized (this) {
            status = how;
            error = why;
            travelling = null;
            end = end == 0 ? System.nanoTime() : end;
        }
        if (how == Status.COMPLETED) {
            LOG.info("{}: {}", vm.name(), Outcome.done(work.direction(), peer));
        } else {
            LOG.warn("{}: {}: {}", vm.name(), Outcome.failed(work.direction(), peer), why);
        }
        changed.accept(state());
        begun.completeExceptionally(new VirtualMachine.Refused("VM \"" + vm.name() + "\": " + why));
    }

    /** The pages that are being sent. Empty before and after. */
    synchronized Optional<Travelling> travelling() {
        return Optional.ofNullable(travelling);
    }

    synchronized MigrationState state() {
        return new MigrationState(
                vm.name(),
                work.direction(),
                status,
                peer,
                Duration.ofNanos((end == 0 ? System.nanoTime() : end) - begin),
                memory,
                progress == null ? 0 : progress.sentBytes(),
                Optional.ofNullable(balloonFirst),
                Optional.ofNullable(writes),
                Optional.ofNullable(progress),
                Optional.ofNullable(downtime),
                Optional.ofNullable(report),
                Optional.ofNullable(received),
                Optional.ofNullable(pager).map(Supplier::get),
                Optional.ofNullable(error));
    }

    /**
     * @param limit how long a migration may take to end after it was asked to
     * @param end when the wait ends, by {@link System#nanoTime}
     * @param guestsEnd when the wait ends for a guest that needs it, by {@link System#nanoTime}: a guest that is paused here
     *     would stay paused, and a guest that has left before its memory would wait forever
     */
    void awaitEnd(Duration limit, long end, long guestsEnd) {
        try {
            boolean over = endsBy(end);
            if (!over && needs()) {
                tellWhatIsWaitedFor(guestsEnd);
                over = awaitGuest(guestsEnd);
            }
            if (!over && (letBe() || giveUp())) {
                // A dead connection takes a part of this time.
                over = endsBy(System.nanoTime() + 2 * limit.toNanos());
            }
            if (!over) {
                LOG.error("{}: its migration did not end in time", vm.name());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean endsBy(long end) throws InterruptedException {
        return ended.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    private boolean needs() {
        return hasPaused() || sendsOwed();
    }

    private boolean awaitGuest(long end) throws InterruptedException {
        boolean over = false;
        while (!over && needs() && end - System.nanoTime() > 0) {
            over = endsBy(Math.min(end, System.nanoTime() + LOOK.toNanos()));
        }
        return over;
    }

    private void tellWhatIsWaitedFor(long end) {
        long seconds = Math.max(0, TimeUnit.NANOSECONDS.toSeconds(end - System.nanoTime()));
        if (sendsOwed()) {
            LOG.warn(
                    "{}: its guest runs at {}, and {} of its memory exist only here: exomem ends when they have been"
                            + " sent, and gives up the guest after {} s",
                    vm.name(),
                    peer,
                    left(),
                    seconds);
        } else {
            LOG.warn("{}: its guest is paused: exomem waits at most {} s until it resumes", vm.name(), seconds);
        }
    }

    /** Cancels the sending of owed pages. Returns false if no guest waits for them. */
    private boolean giveUp() {
        CancelToken what;
        synchronized (this) {
            what = abandon;
        }
        if (what == null || !sendsOwed()) {
            return false;
        }
        LOG.error(
                "{}: exomem ends, and {} of the memory of its guest were not sent to {}, where the guest"
                        + " waits for them",
                vm.name(),
                left(),
                peer);
        return what.cancel();
    }

    private synchronized String left() {
        return progress == null ? "some" : (progress.owedBytes() >> 10) + " KiB";
    }

    private final class Arrival implements IncomingVm.Watcher {
        private final Duration resumeWithin;

        Arrival(Duration resumeWithin) {
            this.resumeWithin = resumeWithin;
        }

        @Override
        public void begins() {
            become(Status.ACTIVE, null);
        }

        @Override
        public void lost(String why) {
            LOG.warn(
                    "{}: the connection to the source was lost ({}); {}",
                    vm.name(),
                    why,
                    owes()
                            ? "accesses of the guest to missing memory wait until the source has reconnected"
                            : "the received memory is kept for " + resumeWithin.toSeconds() + " s");
            Migration.this.lost(why);
        }

        @Override
        public void back() {
            Migration.this.back();
        }

        @Override
        public void owing(Supplier<PagerState> state) {
            synchronized (Migration.this) {
                pager = state;
            }
            become(Status.POSTCOPY_ACTIVE, null);
            LOG.info("{}: its guest runs here, and the rest of its memory is arriving", vm.name());
        }

        /** Applies the balloon target of the source here too. */
        @Override
        public void arrived(MovedDevices devices) {
            devices.target().ifPresent(vm::resize);
        }

        @Override
        public void note(String what) {
            LOG.warn("{}: {}", vm.name(), what);
        }
    }

    private final class Leaving implements Departure {
        @Override
        public void memory(long bytes) {
            synchronized (Migration.this) {
                memory = bytes;
            }
        }

        @Override
        public void balloonFirst(BalloonFirst.Result result) {
            synchronized (Migration.this) {
                balloonFirst = result;
            }
        }

        @Override
        public void writes(GuestWrites.Found how) {
            synchronized (Migration.this) {
                writes = how;
            }
        }

        @Override
        public void pages(AddressMap addresses, PagesOnTheWay pages) {
            synchronized (Migration.this) {
                travelling = new Travelling(addresses, pages);
            }
        }

        @Override
        public void status(Status now) {
            become(now, null);
        }

        @Override
        public void lost(String why, Duration within) {
            LOG.warn(
                    "{}: the connection to {} was lost ({}), retrying for {} s",
                    vm.name(),
                    peer,
                    why,
                    within.toSeconds());
            Migration.this.lost(why);
        }

        @Override
        public void back() {
            Migration.this.back();
        }

        @Override
        public void progress(Progress now) {
            synchronized (Migration.this) {
                progress = now;
            }
        }

        @Override
        public void owing(CancelToken token) {
            synchronized (Migration.this) {
                abandon = token;
                // The time continues to count.
                end = 0;
            }
            become(Status.POSTCOPY_ACTIVE, null);
        }

        @Override
        public void report(Report what) {
            synchronized (Migration.this) {
                report = what;
            }
        }

        @Override
        public void downtime(Duration paused) {
            synchronized (Migration.this) {
                downtime = paused;
                end = System.nanoTime();
            }
        }

        @Override
        public void note(String what) {
            LOG.warn("{}: {}", vm.name(), what);
        }
    }
}
