package org.exomem.backend.vm;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * The VMs of this process by name, for everybody who acts on one: the control socket and migrations. What it hands out is
 * limited ({@link LimitedVm}): a VM that hangs is waited for by nobody. Safe for use by several threads.
 */
public final class VmTable {
    private final ConcurrentSkipListMap<String, VirtualMachine> vms = new ConcurrentSkipListMap<>();

    /** A table with these VMs. */
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

    /** Takes a VM out; does nothing if there is none of that name. Whoever was handed it out keeps it. */
    public void remove(String name) {
        vms.remove(name);
    }

    /**
     * The VM of that name.
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

    /** All VMs, ordered by name. */
    public List<VirtualMachine> all() {
        return List.copyOf(vms.values());
    }

    /** The names of all VMs, in order. */
    public Collection<String> names() {
        return List.copyOf(vms.keySet());
    }

    /** A VM, and what is counted of it; empty if it does not answer. */
    public record Seen(VirtualMachine vm, Optional<VmFigures> figures) {}

    /**
     * What is counted of all VMs, ordered by name. One that does not answer is waited for a second; one that goes meanwhile is left
     * out. Completes on any thread, also on VMs' event loops: go on elsewhere.
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
