package org.exomem.backend.migrate;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.exomem.backend.state.ReplacedFile;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.linux.LinuxException;
import org.exomem.migration.StreamFault;
import org.exomem.migration.pager.Pager;
import org.exomem.migration.pager.PresentPages;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.OwedMemory;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A guest that has arrived before its memory, as an earlier process has left it (STR-PST-9). Its VMM is asked for nothing until its source
 * has come back: it may wait for a page. Belongs to the threads of one migration.
 */
final class OwedVm implements Destination, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OwedVm.class);

    private final OwedArrival arrival;
    private final ReplacedFile file;
    private final PagedMemory memory;
    private final Map<String, Path> sockets;
    private final IncomingVm.Watcher watcher;
    private @Nullable ArrivingMemory owed;
    private boolean knownToRun;

    /** @param memory closed with this */
    OwedVm(
            OwedArrival arrival,
            ReplacedFile file,
            PagedMemory memory,
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
        throw new StreamFault("a guest runs here already");
    }

    @Override
    public OutputStream deviceState(String name) throws IOException {
        throw new StreamFault("a guest runs here already");
    }

    @Override
    public PageBits absent() throws IOException {
        PageBits present = PresentPages.of(memory.files());
        PageBits absent = new PageBits(present.pages());
        absent.addAll();
        absent.andNot(present);
        return absent;
    }

    @Override
    public OwedMemory owing(BegunMigration begun, PageBits pages, WantedPage want) throws LinuxException {
        ArrivingMemory arriving = new ArrivingMemory(arrival.vm(), memory, pages, want, new Pager.Watcher() {});
        owed = arriving;
        return arriving;
    }

    @Override
    public void ready(ReceivedMigration received) throws IOException {
        throw new StreamFault("a guest runs here already");
    }

    @Override
    public void start() throws IOException {
        throw new StreamFault("a guest runs here already");
    }

    @Override
    public void lost(IOException why) {
        watcher.lost(String.valueOf(why.getMessage()));
    }

    /** The process before may have ended just before it had its VMM go on. */
    @Override
    public void cameBack() {
        watcher.owing(Objects.requireNonNull(owed)::state);
        if (knownToRun || !arrival.devices().running()) {
            return;
        }
        try (QmpVmm vmm = QmpVmm.connect(arrival.qmp())) {
            if (!vmm.isRunning()) {
                vmm.start();
            }
            knownToRun = true;
        } catch (IOException e) {
            watcher.note("it is not known whether its guest runs: " + e.getMessage());
        }
    }

    @Override
    public void started() {
        plug(arrival, sockets, watcher);
        delete();
    }

    /** All is there: the devices are plugged in that the VM had. */
    static void plug(OwedArrival arrival, Map<String, Path> sockets, IncomingVm.Watcher watcher) {
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
        watcher.note(who + " was turned away: " + why.getMessage());
    }

    /** Leaves all as it is for the next exomem. */
    @Override
    public void close() {
        ArrivingMemory arriving = owed;
        if (arriving != null) {
            arriving.close();
        } else {
            memory.close();
        }
    }
}
