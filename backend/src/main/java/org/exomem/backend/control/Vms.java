package org.exomem.backend.control;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.NearNames;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vm.VmTable;

/** The VMs that commands may be about: those that are served when the command is executed. */
final class Vms {
    private static final Executor WORKER =
            task -> Thread.ofVirtual().name("vms").start(task);

    private final VmTable table;

    /** A VM and its state; empty if it does not answer. */
    record Answer(VirtualMachine vm, Optional<VmState> state) {}

    Vms(VmTable table) {
        this.table = table;
    }

    /** The VM that a command is about: the named one, or the only one (CTL-7). */
    VirtualMachine named(Arguments arguments) {
        return arguments.optionalText("vm").map(table::named).orElseGet(() -> {
            List<VirtualMachine> all = table.all();
            if (all.size() == 1) {
                return all.getFirst();
            }
            throw QmpException.generic("argument \"vm\" is missing; "
                    + (all.isEmpty() ? "there are no VMs" : "there are " + NearNames.of(table.names(), "VMs")));
        });
    }

    /** All VMs, ordered by name. */
    List<VirtualMachine> all() {
        return table.all();
    }

    /**
     * The states of all VMs, ordered by name. Completes on a thread of its own, so that neither the event loop of the VM
     * that answers last nor the thread that all clients share processes so many answers.
     */
    CompletableFuture<List<Answer>> states() {
        List<CompletableFuture<Answer>> states =
                table.all().stream().map(Vms::answer).toList();
        return CompletableFuture.allOf(states.toArray(CompletableFuture<?>[]::new))
                .thenApplyAsync(
                        done -> states.stream().map(CompletableFuture::join).toList(), WORKER);
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
