package org.exomem.backend.pager;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.state.StateDirectory;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.images.manifest.ImageFolder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The VMs whose memory comes on demand. Each has at most one pager at a time, and its last one is remembered. Safe for use
 * by several threads.
 */
public final class Pagers implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Pagers.class);

    /** The reason for refusing other tasks with the VM meanwhile (PGR-ALONE-1). */
    private static final String RESERVED = "has memory on demand, and not all of it has arrived";

    private static final int MOST_REMEMBERED = 256;
    /** The limit for a VMM to load its guest's state. */
    private static final Duration LOADED_LIMIT = Duration.ofSeconds(90);

    /** Some hundred MiB arrive within this time, before the guest runs and waits for pages. */
    private static final Duration SET_LIMIT = Duration.ofMillis(500);

    private static final Duration LOOK_AGAIN = Duration.ofMillis(100);

    private final Optional<StateDirectory> state;
    private final Migrations migrations;
    private final Function<String, Map<String, Path>> sockets;
    private final Consumer<PagedState> changed;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Map<String, PagedVm> known = new LinkedHashMap<>();

    /**
     * @param state keeps what the next process needs; if empty, no VM's memory can come on demand
     * @param sockets returns the sockets of the devices that exomem serves for a VM, by device name; none for a VM that it
     *     does not serve
     * @param changed receives every change of status, on any thread
     */
    public Pagers(
            Optional<StateDirectory> state,
            Migrations migrations,
            Function<String, Map<String, Path>> sockets,
            Consumer<PagedState> changed) {
        this.state = state;
        this.migrations = migrations;
        this.sockets = sockets;
        this.changed = changed;
    }

    /**
     * Goes on with what earlier processes have begun (PGR-AGAIN-2). A file that can't be used is reported in the log, and
     * stays.
     */
    public void takeUp() {
        if (state.isEmpty()) {
            return;
        }
        List<Path> files;
        try {
            files = state.get().pagers();
        } catch (IOException e) {
            LOG.error("can't determine which VMs have memory on demand: {}", e.getMessage());
            return;
        }
        for (Path path : files) {
            PagerFile file = new PagerFile(path);
            try {
                PagerRecord record = file.read();
                migrations.reserve(record.vm(), RESERVED);
                PagedVm vm = new PagedVm(record, file, new Outside());
                synchronized (this) {
                    known.put(record.vm(), vm);
                }
                vm.takeUp();
            } catch (IOException | VirtualMachine.Refused e) {
                LOG.error(
                        "can't resume the memory on demand of a VM, whose guest waits for the rest: {}",
                        e.getMessage());
            }
        }
    }

    /**
     * Lets the memory of a VM come on demand: the image's pages, and zeros for all others. Its VMM must be waiting for a
     * guest. Waits for the VMM.
     *
     * @param image the folder of a saved VM
     * @param qmp the VMM's QMP socket
     * @return the state at the beginning
     * @throws IOException if that is not possible, with the reason; the VMM must be ended then
     * @throws VirtualMachine.Refused if another task is under way with the VM
     */
    public PagedState start(String vm, Path image, Path qmp) throws IOException {
        StateDirectory folder = state.orElseThrow(() -> new IOException(
                "memory on demand requires an exomem that keeps state (exomem serve --state DIR): without"
                        + " state, a guest would wait forever if exomem was killed"));
        migrations.reserve(vm, RESERVED);
        boolean begun = false;
        try {
            PagedVm paged = begin(vm, image, qmp, new PagerFile(folder.pager(vm)));
            begun = true;
            return paged.state();
        } finally {
            if (!begun) {
                migrations.release(vm);
            }
        }
    }

    private PagedVm begin(String vm, Path image, Path qmp, PagerFile file) throws IOException {
        SavedMemory saved = SavedMemory.open(image, Optional.empty());
        PagedMemory memory = null;
        try {
            memory = PagedMemory.attach(qmp, saved.ids());
            saved.expectFits(memory.files());
            PagerRecord record = new PagerRecord(vm, image, saved.digest(), memory.pid(), qmp, memory.paths());
            PagedVm paged = new PagedVm(record, file, new Outside());
            // Before the VM is published, as the file system may hang. The VM is reserved, so no other thread writes
            // the file.
            file.write(record);
            if (!remember(vm, paged)) {
                file.delete();
                throw new IOException("exomem is shutting down");
            }
            paged.start(new PagedVm.Work(memory, saved));
            paged.awaitSet(SET_LIMIT);
            return paged;
        } catch (IOException | RuntimeException e) {
            if (memory != null) {
                memory.close();
            }
            saved.close();
            throw e;
        }
    }

    /** False if this is being closed. */
    private synchronized boolean remember(String vm, PagedVm paged) {
        if (closing.getCount() == 0) {
            return false;
        }
        known.remove(vm);
        known.put(vm, paged);
        forgetSome();
        return true;
    }

    private void forgetSome() {
        known.values()
                .removeIf(vm ->
                        known.size() > MOST_REMEMBERED && vm.state().status().isOver());
    }

    /** All that are remembered, including those that are over. */
    public List<PagedState> states() {
        return all().stream().map(PagedVm::state).toList();
    }

    private synchronized Collection<PagedVm> all() {
        return new ArrayList<>(known.values());
    }

    private final class Outside implements PagedVm.Outside {
        @Override
        public void changed(PagedState now) {
            changed.accept(now);
        }

        @Override
        public Optional<String> arrived(PagerRecord record, ImageFolder image) {
            return plug(record, image);
        }

        @Override
        public void over(String vm) {
            migrations.release(vm);
        }
    }

    /** Plugs in the devices of exomem that the VM had (PGR-ALONE-1). Returns what could not be done. */
    private Optional<String> plug(PagerRecord record, ImageFolder image) {
        List<String> notes = new ArrayList<>();
        try {
            MovedDevices moved = MovedDevices.ofImage(image.manifest());
            if (!moved.devices().isEmpty()) {
                plugWhenLoaded(record, moved, notes::add);
            }
        } catch (IOException e) {
            notes.add("its devices could not be plugged in: " + e.getMessage());
        }
        return notes.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", notes));
    }

    /**
     * Tries for a while: all pages may have arrived before the VMM has loaded the state of its devices, and another client
     * may be connected to the VMM.
     */
    private void plugWhenLoaded(PagerRecord record, MovedDevices moved, Consumer<String> note) throws IOException {
        long end = System.nanoTime() + LOADED_LIMIT.toNanos();
        while (true) {
            IOException failure;
            try (QmpVmm vmm = QmpVmm.connect(record.qmp())) {
                if (!vmm.isWaiting()) {
                    moved.plugInto(vmm, sockets.apply(record.vm()), note);
                    return;
                }
                failure = new IOException("its VMM has not loaded its state yet");
            } catch (IOException e) {
                failure = e;
            }
            if (isClosing()
                    || System.nanoTime() > end
                    || ProcessHandle.of(record.pid()).isEmpty()) {
                throw failure;
            }
        }
    }

    /** Waits 100 ms for it. */
    private boolean isClosing() {
        try {
            return closing.await(LOOK_AGAIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }

    /** Leaves everything to the next exomem: threads that need a page wait for it. */
    @Override
    public void close() {
        synchronized (this) {
            closing.countDown();
        }
        for (PagedVm vm : all()) {
            if (!vm.state().status().isOver()) {
                LOG.warn(
                        "{}: not all of its memory has arrived; accesses to the rest wait for the next exomem",
                        vm.state().vm());
            }
            vm.close();
        }
    }
}
