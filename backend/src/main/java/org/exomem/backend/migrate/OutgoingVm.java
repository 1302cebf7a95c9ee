package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.migration.CancelToken;
import org.exomem.migration.GuestGivenBackException;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PeerFault;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.precopy.MigrationSource;
import org.exomem.migration.precopy.Precopy;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.pages.PageBits;

/**
 * An outgoing VM. First its memory is sent while the guest runs. Then its vhost-user devices are removed, as a VMM can't
 * migrate them. Then the guest is paused, and the rest of its memory and the VMM's own state are sent. After any failure
 * before the destination has taken over, the guest runs on here with its devices.
 */
final class OutgoingVm {
    /** The longest time that a paused guest waits for a lost connection. After that it goes on here (MIG-CUT-6). */
    private static final Duration PAUSED_LIMIT = Duration.ofSeconds(3);

    private final VirtualMachine vm;
    private final MigrationRequest request;
    private final QmpVmm vmm;
    private final MemoryImage image;
    private final Departure watcher;
    private final CancelToken cancel;
    private final OutgoingGuest guest;

    private OutgoingVm(
            VirtualMachine vm,
            MigrationRequest request,
            QmpVmm vmm,
            MemoryImage image,
            Departure watcher,
            CancelToken cancel)
            throws IOException {
        this.vm = vm;
        this.request = request;
        this.vmm = vmm;
        this.image = image;
        this.watcher = watcher;
        this.cancel = cancel;
        this.guest = new OutgoingGuest(vm, vmm, request.precopy().autoConverge(), cancel, watcher::status);
    }

    /**
     * Migrates the VM. Returns when its guest runs at the destination, and is stopped here for good.
     *
     * @param cancel ends the migration, until the guest is handed over
     * @throws IOException if the migration failed; the guest then runs here, except after a {@link
     *     org.exomem.migration.HandoverUncertainException}
     */
    static void migrate(VirtualMachine vm, Path qmp, MigrationRequest request, Departure watcher, CancelToken cancel)
            throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                MemoryImage image = OutgoingMemory.image(vmm.ram())) {
            OutgoingVm leaving = new OutgoingVm(vm, request, vmm, image, watcher, cancel);
            try (OutgoingGuest _ = leaving.guest) {
                leaving.run();
            }
        }
    }

    private void run() throws IOException {
        guest.refuseWhatCannotLeave();
        watcher.memory(image.pages() * image.pageSize());
        if (!request.balloonFirst()) {
            move();
            return;
        }
        try (BalloonFirst first = new BalloonFirst(vm)) {
            first.inflate(cancel::isCancelled, watcher::balloonFirst);
            cancel.check();
            move();
        }
    }

    private void move() throws IOException {
        // The slow steps run in parallel: the connection, and the requests to the VMM and the guest.
        try (OutgoingMemory memory = OutgoingMemory.show(vm, vmm, image, guest);
                Connecting connecting = Connecting.begin(this::connect)) {
            Prepared prepared = prepare(connecting, memory);
            // Open until the guest is handed over, as ending the watch would lengthen the pause.
            try (GuestWrites writes = prepared.writes()) {
                MigrationSender sender = connecting.sender();
                watcher.status(Status.ACTIVE);
                migrate(sender, memory, writes, prepared.hints());
            }
        }
    }

    /** How the guest is asked which pages it does not need, and how its writes are found. */
    private record Prepared(HintSessions hints, GuestWrites writes) {}

    private Prepared prepare(Connecting connecting, OutgoingMemory memory) throws IOException {
        try {
            // First, because a guest clears its memory only for a destination that accepts it.
            HintSessions hints = memory.hints(request.hints(), connecting::sender, cancel);
            // Memory is not watched if the destination is already known to refuse it.
            connecting.failIfRefused();
            return new Prepared(hints, memory.writes(request.writes(), watcher::writes));
        } catch (IOException | RuntimeException e) {
            connecting.abort(MigrationFailure.text(e));
            throw e;
        }
    }

    private void migrate(MigrationSender sender, OutgoingMemory memory, GuestWrites writes, HintSessions hints)
            throws IOException {
        try {
            moveMemoryAndState(sender, memory, writes, hints);
        } catch (Throwable e) {
            // Errors too, so that the guest is never left in between. A guest that was handed over is the
            // destination's, unless the destination reported that it can't start it (STR-END-4).
            if (!guest.isHandedOver() || e instanceof GuestGivenBackException) {
                // First the guest: it may take seconds to reach a destination that has gone, or to remove a device.
                guest.goOn(e);
                sender.abort(MigrationFailure.text(e));
                guest.putBack(e);
            }
            throw e;
        }
    }

    private MigrationSender connect() throws IOException {
        return MigrationSender.connect(
                request.address(),
                request.security(),
                request.stream(),
                OutgoingMemory.description(image),
                new BandwidthLimit(request.bandwidth()),
                cancel);
    }

    private void moveMemoryAndState(
            MigrationSender sender, OutgoingMemory memory, GuestWrites writes, HintSessions hints) throws IOException {
        OutgoingConnection connection = new OutgoingConnection(sender, image, watcher, this::patience);
        boolean settles = memory.settles(request.hints(), writes);
        MigrationSource source = memory.source(writes, hints, settles);
        // Before the pause, so that this does not lengthen it.
        Path folder = StateFolder.makeFor(vmm);
        Path state = folder.resolve(StateFolder.VMM);
        guest.savesInto(state);
        // Once before the pause too, because the first call is slow.
        guest.moved(memory.target()).toBytes();
        try {
            Precopy precopy = new Precopy(
                            source, connection.destination(), request.precopy(), watcher::progress, cancel)
                    .watchedBy(pages -> watcher.pages(memory.addresses(), pages));
            Report report = precopy.run();
            Optional<PageBits> owed = connection.hasPromised() ? Optional.of(precopy.owed()) : Optional.empty();
            long pausing = System.nanoTime() - report.downtime().toNanos();
            if (owed.isPresent()) {
                connection.owe(owed.get());
            }
            guest.saveState();
            connection.finish(state, guest.moved(memory.target()).toBytes());
            if (settles) {
                guest.descriptors().expectNoReset();
            }
            guest.letGo();
            if (owed.isPresent()) {
                new Owing(connection, report, owed.get().count(), folder).handOver(pausing);
                return;
            }
            connection.handOver(Optional.empty());
            guest.left();
            watcher.report(report);
            watcher.downtime(Duration.ofNanos(System.nanoTime() - pausing));
        } finally {
            StateFolder.remove(folder);
        }
    }

    /** A guest that leaves before all of its memory was sent, and the pages that are owed to it. */
    private final class Owing {
        private final OutgoingConnection connection;
        private final Report report;
        private final long pages;
        private final Path state;
        private final long begin = System.nanoTime();
        private final CancelToken abandon = new CancelToken();

        /** @param state a folder that is removed when the guest runs at the destination */
        Owing(OutgoingConnection connection, Report report, long pages, Path state) {
            this.state = state;
            this.connection = connection;
            this.report = report;
            this.pages = pages;
        }

        /** @param pausing when the guest was paused, by {@link System#nanoTime} */
        void handOver(long pausing) throws IOException {
            boolean runs = false;
            try {
                connection.handOver(Optional.of(abandon));
                runs = true;
                StateFolder.remove(state);
                watcher.report(report);
                watcher.downtime(Duration.ofNanos(System.nanoTime() - pausing));
                watcher.owing(abandon);
                connection.awaitArrived(abandon, this::progress);
                guest.left();
            } catch (PeerFault e) {
                throw lost(
                        runs
                                ? "it did not receive all of its memory: " + e.getMessage()
                                : "it is not known whether it ran there: " + e.getMessage(),
                        e);
            } catch (MigrationCancelledException e) {
                throw lost(
                        "the migration was cancelled at this end, and it is not known whether the guest received all"
                                + " of its memory",
                        e);
            }
            watcher.report(report.withOwed(pages, Duration.ofNanos(System.nanoTime() - begin)));
        }

        private IOException lost(String why, IOException cause) {
            return new HandoverUncertainException(
                    "the guest was handed over to " + request.address() + ": " + why
                            + ". Check there: if it runs with all of its memory, end the VMM here. If it can't, end"
                            + " the VMM there; here it is paused in the state in which it left, and only you can"
                            + " decide whether it may continue from that state (cont), although it ran further since."
                            + " Never let both run",
                    cause);
        }

        private void progress(long left) {
            long bytes = (pages - left) * image.pageSize();
            long nanos = Math.max(1, System.nanoTime() - begin);
            long rate = (long) (bytes * 1e9 / nanos);
            watcher.progress(new Progress(
                    Progress.Phase.OWING,
                    report.rounds(),
                    report.sentBytes() + bytes,
                    left * image.pageSize(),
                    rate,
                    Duration.ofNanos(rate == 0 ? 0 : (long) (left * image.pageSize() * 1e9 / rate)),
                    Duration.ZERO));
        }
    }

    /** How long to try to connect again after a connection is lost now. */
    private Duration patience() {
        Duration limit = request.stream().resumeWithin();
        return guest.isPaused() && limit.compareTo(PAUSED_LIMIT) > 0 ? PAUSED_LIMIT : limit;
    }
}
