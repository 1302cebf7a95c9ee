package org.exomem.backend.control;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Collectors;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.LimitedVm;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;

/** The VMs that commands may be about, by name. */
final class Vms {
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(1);

    private final Map<String, VirtualMachine> vms;

    Vms(List<? extends VirtualMachine> vms) {
        this.vms = new TreeMap<>(
                vms.stream().collect(Collectors.toMap(VirtualMachine::name, vm -> new LimitedVm(vm, ANSWER_LIMIT))));
    }

    /** The VM that a command is about: the one named, or the only one. Ends the arguments. */
    VirtualMachine named(Arguments arguments) {
        Optional<String> name = arguments.optionalText("vm");
        arguments.end();
        return name.map(this::named).orElseGet(() -> {
            if (vms.size() == 1) {
                return vms.values().iterator().next();
            }
            throw QmpException.generic("argument \"vm\" is missing; there are " + String.join(", ", vms.keySet()));
        });
    }

    private VirtualMachine named(String name) {
        VirtualMachine vm = vms.get(name);
        if (vm == null) {
            throw QmpException.deviceNotFound(
                    "there is no VM \"" + name + "\"; there are " + String.join(", ", vms.keySet()));
        }
        return vm;
    }

    /** By name. */
    List<VirtualMachine> all() {
        return List.copyOf(vms.values());
    }

    /** All VMs as they are now, in the order of {@link #all}; empty for those that do not answer. */
    CompletableFuture<List<Optional<VmState>>> states() {
        List<CompletableFuture<Optional<VmState>>> states =
                vms.values().stream().map(Vms::stateIfAny).toList();
        return CompletableFuture.allOf(states.toArray(CompletableFuture<?>[]::new))
                .thenApply(done -> states.stream().map(CompletableFuture::join).toList());
    }

    private static CompletableFuture<Optional<VmState>> stateIfAny(VirtualMachine vm) {
        return vm.state().handle((state, failure) -> {
            if (failure == null) {
                return Optional.of(state);
            }
            Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
            if (cause instanceof VirtualMachine.NotAnswering) {
                return Optional.empty();
            }
            throw new CompletionException(cause);
        });
    }
}
