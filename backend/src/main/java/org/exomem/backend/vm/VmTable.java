package org.exomem.backend.vm;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * The VMs of this process by name, for the control socket and migrations. All VMs that it returns are limited ({@link
 * LimitedVm}), so that no caller waits for a VM that hangs. Safe for use by several threads.
 */
public final class VmTable {
    private final ConcurrentSkipListMap<String, VirtualMachine> vms = new ConcurrentSkipListMap<>();

    /** Returns a table of these VMs. */
    public static VmTable of(VirtualMachine... vms) {
        VmTable table = new VmTable();
        for (VirtualMachine vm : vms) {
            table.add(vm);
        }
        return table;
    }

    /**
     * Adds a VM.
     *
     * @throws IllegalArgumentException if there is one of that name
     */
    public void add(VirtualMachine vm) {
        if (vms.putIfAbsent(vm.name(), new LimitedVm(vm)) != null) {
            throw new IllegalArgumentException("there is a VM \"" + vm.name() + "\" already");
        }
    }

    /** Removes a VM; does nothing if there is none of that name. Callers that have it may go on to use it. */
    public void remove(String name) {
        vms.remove(name);
    }

    /**
     * Returns the VM of that name.
     *
     * @throws VirtualMachine.NotFound if there is none
     */
    public VirtualMachine named(String name) {
        VirtualMachine vm = vms.get(name);
        if (vm == null) {
            throw new VirtualMachine.NotFound(NearNames.unknown(name, vms.keySet()));
        }
        return vm;
    }

    /** Returns all VMs, ordered by name. */
    public List<VirtualMachine> all() {
        return List.copyOf(vms.values());
    }

    /** Returns the names of all VMs, in order. */
    public Collection<String> names() {
        return List.copyOf(vms.keySet());
    }

    /** A VM and its counters; these are empty if it does not answer. */
    public record Seen(VirtualMachine vm, Optional<VmFigures> figures) {}

    /**
     * Returns the counters of all VMs, ordered by name. Waits at most a second for a VM that does not answer. A VM that is
     * removed meanwhile is left out. Completes on any thread, also on event loops of VMs: continue on another thread.
     */
    public CompletableFuture<List<Seen>> figures() {
        List<CompletableFuture<Optional<Seen>>> coming =
                all().stream().map(VmTable::seen).toList();
        return CompletableFuture.allOf(coming.toArray(CompletableFuture<?>[]::new))
                .thenApply(done -> coming.stream()
                        .map(CompletableFuture::join)
                        .flatMap(Optional::stream)
                        .toList());
    }

    private static CompletableFuture<Optional<Seen>> seen(VirtualMachine vm) {
        return vm.figures().handle((figures, failure) -> {
            if (failure == null) {
                return Optional.of(new Seen(vm, Optional.of(figures)));
            }
            Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
            if (cause instanceof VirtualMachine.NotFound) {
                return Optional.empty();
            }
            return Optional.of(new Seen(vm, Optional.empty()));
        });
    }
}
