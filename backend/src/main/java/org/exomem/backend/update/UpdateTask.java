package org.exomem.backend.update;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.exomem.backend.migrate.Departure;
import org.exomem.backend.migrate.Direction;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.migrate.OutgoingGuest;
import org.exomem.backend.migrate.StartedGuest;
import org.exomem.backend.migrate.StateFolder;
import org.exomem.backend.migrate.Status;
import org.exomem.backend.migrate.VmTask;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.GuestRamFile;
import org.exomem.backend.vmm.IgnoreShared;
import org.exomem.backend.vmm.IgnoreSharedFile;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.linux.SharedFile;
import org.exomem.linux.StaleSocket;
import org.exomem.migration.CancelToken;
import org.exomem.migration.HandoverUncertainException;

/**
 * Moves a running guest to another VMM on this host, which has mapped the same RAM files and waits. Only the state of the
 * VMM's devices is copied (VMM-20). After any failure before the guest runs there, it runs on here with its devices.
 *
 * @param next the QMP socket of the VMM that waits
 * @param renamed the sockets and files that replace those of the first VMM when it has ended
 */
public record UpdateTask(Path next, List<Renamed> renamed) implements VmTask {
    public UpdateTask {
        renamed = List.copyOf(renamed);
    }

    @Override
    public Direction direction() {
        return Direction.UPDATE;
    }

    @Override
    public String destination() {
        return next.toString();
    }

    @Override
    public void run(VirtualMachine vm, Path qmp, Departure watcher, CancelToken cancel) throws IOException {
        try (QmpVmm before = QmpVmm.connect(qmp);
                QmpVmm after = QmpVmm.connect(next)) {
            after.expectIncoming();
            after.noteIn(IgnoreSharedFile.of(vm.sockets().values(), IgnoreSharedFile.End.DESTINATION));
            watcher.memory(expectSameRam(before, after));
            before.expectRamKept();
            try (OutgoingGuest guest = new OutgoingGuest(vm, before, false, cancel, watcher::status)) {
                guest.refuseWhatCannotLeave();
                watcher.status(Status.ACTIVE);
                MovedDevices moved = move(before, after, guest, watcher, cancel);
                List<String> missing = new ArrayList<>();
                moved.plugInto(after, vm.sockets(), missing::add);
                if (missing.isEmpty()) {
                    guest.left();
                }
                missing.forEach(watcher::note);
            }
            end(before, watcher);
        }
    }

    /** Returns the size in bytes. */
    private static long expectSameRam(QmpVmm before, QmpVmm after) throws IOException {
        List<GuestRamFile> here = before.ram();
        List<GuestRamFile> there = after.ram();
        if (here.size() != there.size()) {
            throw new IOException(
                    "the waiting VMM has " + there.size() + " memory files, the guest's VMM has " + here.size());
        }
        long bytes = 0;
        for (GuestRamFile ram : here) {
            GuestRamFile other = there.stream()
                    .filter(file -> file.id().equals(ram.id()) && file.size() == ram.size())
                    .findFirst()
                    .orElseThrow(() -> new IOException(
                            "the waiting VMM has no memory \"" + ram.id() + "\" of " + ram.size() + " bytes"));
            try (SharedFile mine = SharedFile.open(ram.path());
                    SharedFile others = SharedFile.open(other.path())) {
                if (!mine.isSameFileAs(others)) {
                    throw new IOException("the memory \"" + ram.id() + "\" of the waiting VMM is " + others
                            + ", not the guest's " + mine);
                }
                before.expectMapped(ram.id(), mine);
                after.expectMapped(ram.id(), others);
            }
            bytes += ram.size();
        }
        return bytes;
    }

    private static MovedDevices move(
            QmpVmm before, QmpVmm after, OutgoingGuest guest, Departure watcher, CancelToken cancel)
            throws IOException {
        // Before the pause, so that this does not lengthen it.
        Path folder = StateFolder.makeFor(before);
        try (IgnoreShared _ = after.ignoreShared()) {
            guest.prepare();
            Path state = folder.resolve(StateFolder.VMM);
            after.expectState(state);
            cancel.check();
            long pausing = System.nanoTime();
            guest.pause();
            MovedDevices moved = guest.moved(OptionalLong.empty());
            before.sendState(state, cancel::isCancelled);
            after.awaitState();
            guest.letGo();
            if (moved.running()) {
                StartedGuest.start(after);
            }
            watcher.downtime(Duration.ofNanos(System.nanoTime() - pausing));
            return moved;
        } catch (HandoverUncertainException e) {
            throw e;
        } catch (Throwable e) {
            // Errors too, so that the guest is never left in between.
            guest.goOn(e);
            guest.putBack(e);
            throw e;
        } finally {
            StateFolder.remove(folder);
        }
    }

    /** Failures are only reported, because the guest runs in the other VMM by now. */
    private void end(QmpVmm before, Departure watcher) {
        try {
            before.quit();
        } catch (IOException e) {
            watcher.note("the old VMM did not end; end it yourself: " + e.getMessage());
            return;
        }
        for (Renamed one : renamed) {
            try {
                // A VMM removes its sockets when it ends. A socket that is still there was left behind, or belongs to
                // another VMM.
                if (!Files.isRegularFile(one.to(), LinkOption.NOFOLLOW_LINKS)) {
                    StaleSocket.remove(one.to());
                }
                Files.move(one.from(), one.to(), StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException e) {
                watcher.note(one.from() + " could not be renamed to " + one.to() + ": " + e.getMessage());
            }
        }
    }
}
