package org.exomem.backend.control;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.LimitedVm;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;

/** The VMs that commands may be about, by name: those that are served when the command comes. */
final class Vms {
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(1);

    private final Supplier<? extends List<? extends VirtualMachine>> served;
    /** Kept, as they remember the question that waits. */
    private final Map<VirtualMachine, LimitedVm> limited = new HashMap<>();

    /** A VM, and how it is now; empty if it does not answer. */
    record Answer(VirtualMachine vm, Optional<VmState> state) {}

    Vms(Supplier<? extends List<? extends VirtualMachine>> served) {
        this.served = served;
    }

    /** The VM that a command is about: the one named, or the only one. Ends the arguments. */
    VirtualMachine named(Arguments arguments) {
        Optional<String> name = arguments.optionalText("vm");
        arguments.end();
        Map<String, VirtualMachine> vms = byName();
        return name.map(of -> named(vms, of)).orElseGet(() -> {
            if (vms.size() == 1) {
                return vms.values().iterator().next();
            }
            throw QmpException.generic("argument \"vm\" is missing; there are " + String.join(", ", vms.keySet()));
        });
    }

    private static VirtualMachine named(Map<String, VirtualMachine> vms, String name) {
        VirtualMachine vm = vms.get(name);
        if (vm == null) {
            throw QmpException.deviceNotFound(
                    "there is no VM \"" + name + "\"; there are " + String.join(", ", vms.keySet()));
        }
        return vm;
    }

    private synchronized Map<String, VirtualMachine> byName() {
        List<? extends VirtualMachine> now = served.get();
        limited.keySet().retainAll(now);
        return new TreeMap<>(now.stream()
                .collect(Collectors.toMap(
                        VirtualMachine::name,
                        vm -> limited.computeIfAbsent(vm, of -> new LimitedVm(of, ANSWER_LIMIT)))));
    }

    /** By name. */
    List<VirtualMachine> all() {
        return List.copyOf(byName().values());
    }

    /** All VMs as they are now, by name. */
    CompletableFuture<List<Answer>> states() {
        List<CompletableFuture<Answer>> states =
                byName().values().stream().map(Vms::answer).toList();
        return CompletableFuture.allOf(states.toArray(CompletableFuture<?>[]::new))
                .thenApply(done -> states.stream().map(CompletableFuture::join).toList());
    }

    private static CompletableFuture<Answer> answer(VirtualMachine vm) {
        return vm.state().handle((state, failure) -> {
            if (failure == null) {
                return new Answer(vm, Optional.of(state));
            }
            Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
            if (cause instanceof VirtualMachine.NotAnswering) {
                return new Answer(vm, Optional.empty());
            }
            throw new CompletionException(cause);
        });
    }
}
