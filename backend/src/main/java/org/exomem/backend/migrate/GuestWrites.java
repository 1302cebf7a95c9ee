package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import org.exomem.backend.config.WritesChoice;
import org.exomem.backend.qmp.VmmException;
import org.exomem.backend.vm.GuestView;
import org.exomem.backend.vmm.DirectWrites;
import org.exomem.backend.vmm.DirtyLogFile;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.backend.vmm.WatchedVmm;
import org.exomem.linux.Fd;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.SharedLog;
import org.exomem.migration.pagesource.Unlogged;
import org.exomem.migration.pagesource.WatchedWrites;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a migration finds the pages that the guest writes: from the VMM's log, by watching, or by comparing. For one thread.
 */
public final class GuestWrites implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(GuestWrites.class);

    private final String vm;
    private final QmpVmm vmm;
    private final MemoryImage image;
    private final GuestView view;
    private final Consumer<Found> found;
    private final List<DirtySource> sources = new ArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    /** The writes that watching does not see, for people. */
    private final List<String> unseen = new ArrayList<>();

    private boolean watching;

    /** How writes are found. */
    public enum Way {
        /** The VMM logs them (VMM-8). */
        LOG,
        /** The VMM's memory is watched from outside (MIG-WATCH). */
        WATCH,
        /** All of memory is compared in each round (MIG-DIRTY-5). */
        COMPARE;

        /** The name on the control socket, in small letters. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * How writes are found.
     *
     * @param reason why there is no better way, or which writes are not seen; for people
     */
    public record Found(Way way, Optional<String> reason) {}

    private GuestWrites(String vm, QmpVmm vmm, MemoryImage image, GuestView view, Consumer<Found> found) {
        this.vm = vm;
        this.vmm = vmm;
        this.image = image;
        this.view = view;
        this.found = found;
    }

    /**
     * Begins to track writes, in the best way that is allowed and possible.
     *
     * @param found receives the way, and receives it again when it changes
     * @throws IOException if the wanted way is not possible, or the VMM has ended
     */
    static GuestWrites begin(
            String vm, QmpVmm vmm, MemoryImage image, GuestView view, WritesChoice wanted, Consumer<Found> found)
            throws IOException {
        GuestWrites writes = new GuestWrites(vm, vmm, image, view, found);
        try {
            switch (wanted) {
                case AUTO -> writes.beginBest();
                case WATCH -> writes.watch(WatchedWrites.ANY_RATE);
                case COMPARE -> writes.compare(Optional.empty());
            }
            writes.sources.add(view.ownWrites());
            return writes;
        } catch (IOException | RuntimeException e) {
            writes.close();
            throw e;
        }
    }

    private void beginBest() throws IOException {
        Optional<DirtyLogFile> log = vmm.dirtyLog();
        if (log.isPresent()) {
            read(log.get());
            return;
        }
        try {
            watch(WatchedWrites.BEARABLE_RATE);
        } catch (IOException e) {
            if (e instanceof VmmException failure && failure.isEnd()) {
                throw e;
            }
            compare(Optional.of(String.valueOf(e.getMessage())));
        }
    }

    /** MIG-DIRTY-3 */
    private void read(DirtyLogFile log) throws IOException {
        try (SharedFile file = SharedFile.open(log.path())) {
            Mapping mapping = Mapping.of(file, 0, log.size() & -Long.BYTES);
            open.add(mapping);
            sources.add(new SharedLog(mapping.segment(), view.addresses(), image.pages()));
        }
        found.accept(new Found(Way.LOG, Optional.empty()));
    }

    private void watch(long mostPerSecond) throws IOException {
        DirectWrites direct;
        try (WatchedVmm process = vmm.watched()) {
            // MIG-WATCH-2
            direct = vmm.directWrites();
            direct.refusePins();
            WatchedWrites.expectMapped(process.pid(), image);
            Fd fd = process.userfaultfd().fd();
            if (direct.early()) {
                beginWhileStopped(process, fd);
            } else {
                begin(process, fd, false, mostPerSecond);
            }
        }
        sources.add(new DevicesAddedLater(vmm, direct, this::sees));
        watching = true;
        tell();
    }

    private void begin(WatchedVmm process, Fd fd, boolean direct, long mostPerSecond) throws IOException {
        WatchedWrites watch = WatchedWrites.begin(
                process.pid(), Userfaultfd.of(fd, WatchedWrites.FEATURES), image, direct, mostPerSecond, this::sees);
        open.add(watch);
        sources.add(watch);
    }

    /** Begins while the VMM is stopped, because then none of its devices has a write under way (MIG-WATCH-2). */
    private void beginWhileStopped(WatchedVmm process, Fd fd) throws IOException {
        try (fd) {
            boolean running = vmm.isRunning();
            try {
                vmm.pause();
                // A stopped guest writes nothing, so any rate is bearable.
                begin(process, fd.duplicate(), true, WatchedWrites.ANY_RATE);
            } finally {
                vmm.goOn(running);
            }
        }
    }

    private void sees(String less) {
        LOG.warn("{}: {}", vm, less);
        unseen.add(less);
        if (watching) {
            tell();
        }
    }

    private void tell() {
        found.accept(
                new Found(Way.WATCH, unseen.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", unseen))));
    }

    private void compare(Optional<String> why) {
        why.ifPresent(reason -> LOG.info("{}: all memory is compared in each round: {}", vm, reason));
        sources.add(new Unlogged());
        found.accept(new Found(Way.COMPARE, why));
    }

    /** The sources of written pages, for the engine's thread. */
    List<DirtySource> sources() {
        return sources;
    }

    @Override
    public void close() {
        for (AutoCloseable resource : open) {
            try {
                resource.close();
            } catch (Exception e) {
                LOG.warn("{}: {}", vm, e.getMessage());
            }
        }
    }
}
