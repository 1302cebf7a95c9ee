package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.exomem.backend.state.ArrivalFiles;
import org.exomem.backend.state.ReplacedFile;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmTable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The migrations of all VMs. Each VM has at most one at a time, and its last one is remembered. Safe for use by several
 * threads. Event loops may call all methods but {@link #takeUp}, {@link #reserve} and {@link #close}. The other methods do
 * not wait, and do not use a file system.
 */
public final class Migrations implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Migrations.class);
    private static final Duration END_LIMIT = Duration.ofSeconds(3);
    /**
     * The limit for all migrations together at the end of the process. What a paused guest waits for has shorter limits of
     * its own. A guest that has left before its memory is given up after this time.
     */
    private static final Duration GUEST_LIMIT = Duration.ofMinutes(4);

    private final VmTable vms;
    private final Consumer<MigrationState> changed;
    private final Map<String, Migration> last = new HashMap<>();
    private boolean closed;
    private Optional<ArrivalFiles> kept = Optional.empty();

    /** VMs that are reserved for another task, and the text for people that names the task. */
    private final Map<String, String> reserved = new HashMap<>();

    /**
     * @param vms the VMs that are served
     * @param changed receives every change of a migration's status, on any thread
     */
    public Migrations(VmTable vms, Consumer<MigrationState> changed) {
        this.vms = vms;
        this.changed = changed;
    }

    /**
     * Begins to migrate a VM to another host, and returns at once. The migration fails soon if the guest may wait here for
     * its memory (MIG-POST-4).
     *
     * @throws VirtualMachine.NotFound if there is no such VM
     * @throws VirtualMachine.Refused if it is migrating already or is reserved, or the QMP socket of its VMM is unknown
     */
    public void migrate(String vm, MigrationRequest request) {
        begin(vm, request.vmmQmp(), new OutgoingTask(request));
    }

    /**
     * Begins a task with a VM's guest, and returns at once. Throws what {@link #migrate} throws.
     *
     * @param vmmQmp the QMP socket of the VMM, if it is not the configured one
     */
    public void begin(String vm, Optional<Path> vmmQmp, VmTask task) {
        begin(vm, vmmQmp, new Migration.Work.Leave(task), List.of());
    }

    /**
     * Begins to wait for a VM from another host, and returns at once. Throws what {@link #migrate} throws.
     *
     * @return completes when a source may connect; fails with {@link VirtualMachine.Refused} if none ever can
     */
    public synchronized CompletableFuture<Void> receive(String vm, MigrationRequest request) {
        List<Migration> atItsAddress = last.values().stream()
                .filter(old -> old.holds(request.address()))
                .toList();
        return begin(vm, request.vmmQmp(), new Migration.Work.Receive(request), atItsAddress);
    }

    /**
     * Goes on with the guests that wait here for their memory, and allows post-copy from now on (STR-PST-9). A file that
     * can't be used is reported in the log, and stays.
     *
     * @param files where exomem keeps what the next process needs
     */
    public void takeUp(ArrivalFiles files) {
        synchronized (this) {
            kept = Optional.of(files);
        }
        List<ReplacedFile> left;
        try {
            left = files.arrivals();
        } catch (IOException e) {
            LOG.error("can't determine which VMs wait for their memory: {}", e.getMessage());
            return;
        }
        for (ReplacedFile file : left) {
            try {
                goOn(PostCopyArrival.of(file.read(PostCopyArrival.MOST)), file);
            } catch (IOException | VirtualMachine.NotFound e) {
                LOG.error(
                        "a guest waits for its memory, and {} can't be used: {}. It is left unchanged",
                        file.path(),
                        e.getMessage());
            }
        }
    }

    private synchronized void goOn(PostCopyArrival arrival, ReplacedFile file) {
        String name = arrival.vm();
        Migration migration = new Migration(
                vms.named(name), new Migration.Work.GoOn(arrival, file), new KeptArrival(name, kept), changed);
        last.put(name, migration);
        migration.start(arrival.qmp(), List.of());
    }

    /** The names of the VMs whose guest runs, here or at another host, while pages are owed to it; sorted. */
    public synchronized List<String> owing() {
        return last.values().stream()
                .filter(Migration::owes)
                .map(migration -> migration.state().vm())
                .sorted()
                .toList();
    }

    private synchronized CompletableFuture<Void> begin(
            String name, Optional<Path> vmmQmp, Migration.Work work, List<Migration> atItsAddress) {
        VirtualMachine vm = vms.named(name);
        Migration before = last.get(name);
        if (closed || before != null && !before.state().status().isOver()) {
            throw new VirtualMachine.Refused(
                    "VM \"" + name + "\" is already migrating; migrate-cancel ends the migration");
        }
        String other = reserved.get(name);
        if (other != null) {
            throw new VirtualMachine.Refused("VM \"" + name + "\" " + other);
        }
        Path qmp = vmmQmp.or(vm::vmmQmp)
                .orElseThrow(() -> new VirtualMachine.Refused("VM \"" + name
                        + "\": the QMP socket of its VMM is not known: set vmm-qmp=PATH where the VM"
                        + " is served, or name the socket here"));
        Migration migration = new Migration(vm, work, new KeptArrival(name, kept), changed);
        last.put(name, migration);
        return migration.start(qmp, atItsAddress);
    }

    /**
     * Keeps a VM from being migrated until {@link #release}, for another task that must not run at the same time as a
     * migration.
     *
     * <p>Takes as long as the file system of the state directory does: not for event loops.
     *
     * @param what the task, for people: "is being detached"
     * @throws VirtualMachine.Refused if the VM is migrating, or reserved already, or its guest may wait here for its memory
     */
    public void reserve(String name, String what) {
        KeptArrival arrival = reserveNow(name, what);
        try {
            // The VM is reserved, so no other task can begin with it meanwhile.
            arrival.expectNone();
        } catch (IOException e) {
            release(name);
            throw new VirtualMachine.Refused("VM \"" + name + "\": " + e.getMessage());
        }
    }

    private synchronized KeptArrival reserveNow(String name, String what) {
        Migration migration = last.get(name);
        if (migration != null && !migration.state().status().isOver()) {
            throw new VirtualMachine.Refused("VM \"" + name + "\" is migrating; migrate-cancel ends the migration");
        }
        String other = reserved.putIfAbsent(name, what);
        if (other != null) {
            throw new VirtualMachine.Refused("VM \"" + name + "\" " + other);
        }
        return new KeptArrival(name, kept);
    }

    /** Ends the reservation of {@link #reserve}. */
    public synchronized void release(String name) {
        reserved.remove(name);
    }

    /** Forgets the last migration of a VM that is no longer served. Call it only while the VM is reserved. */
    public synchronized void forget(String name) {
        last.remove(name);
    }

    /**
     * Cancels a migration. Its status changes when it has ended.
     *
     * @return false if there is none under way
     * @throws VirtualMachine.NotFound if there is no such VM
     * @throws VirtualMachine.Refused if the guest runs here, and waits for memory that the source has
     */
    public boolean cancel(String name) {
        Migration migration;
        synchronized (this) {
            migration = last.get(vms.named(name).name());
        }
        return migration != null && migration.cancel();
    }

    /**
     * Returns the present migration of a VM, or its last one.
     *
     * @throws VirtualMachine.NotFound if there is no such VM
     */
    public synchronized Optional<MigrationState> state(String name) {
        return Optional.ofNullable(last.get(vms.named(name).name())).map(Migration::state);
    }

    /** Returns the present or last migration of each VM, in no order. */
    public List<MigrationState> states() {
        List<Migration> all;
        synchronized (this) {
            all = List.copyOf(last.values());
        }
        return all.stream().map(Migration::state).toList();
    }

    /**
     * Returns the pages of an outgoing VM while they are being sent.
     *
     * @throws VirtualMachine.NotFound if there is no such VM
     */
    public synchronized Optional<Travelling> travelling(String name) {
        return Optional.ofNullable(last.get(vms.named(name).name())).flatMap(Migration::travelling);
    }

    /**
     * Ends all migrations. Waits a few seconds for that, and up to four minutes where a guest is paused or needs memory that
     * only this process has.
     */
    @Override
    public void close() {
        List<Migration> all;
        synchronized (this) {
            closed = true;
            all = List.copyOf(last.values());
        }
        all.forEach(Migration::leave);
        long begin = System.nanoTime();
        all.forEach(
                migration -> migration.awaitEnd(END_LIMIT, begin + END_LIMIT.toNanos(), begin + GUEST_LIMIT.toNanos()));
    }
}
