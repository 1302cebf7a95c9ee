package org.exomem.backend.control;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.health.Problem;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.vm.VirtualMachine;

/**
 * What commands do to the process itself, and to which VMs it serves. Callable from the control socket's thread: nothing
 * here waits. Futures fail with {@link VirtualMachine.Refused} or {@link VirtualMachine.NotFound}.
 */
@FunctionalInterface
public interface ProcessControl {
    /** Ends the process, soon. */
    void quit();

    /** How many descriptors the process keeps for what is neither a VM nor a client of the control socket. */
    default long descriptors() {
        return 0;
    }

    /**
     * Serves more devices, all of them or none.
     *
     * @param clone whose they are, if they are to go with it
     */
    default CompletableFuture<Void> add(ServeConfig devices, Optional<Clone> clone) {
        return refused();
    }

    /**
     * A VMM whose devices are served as long as it runs.
     *
     * @param pid of its process
     * @param template the folder of the template from which it runs, if it does
     */
    record Clone(int pid, Optional<Path> template) {}

    /**
     * Serves a VM, or one device of it, no more: at once where no VMM is attached, otherwise as soon as it has left.
     *
     * @param device its id; empty for all of the VM
     * @return the devices that are still served, each with the reason
     */
    default CompletableFuture<List<Kept>> remove(String vm, Optional<String> device) {
        return refused();
    }

    /** How a VM is served now. */
    default CompletableFuture<VmConfig> config(String vm) {
        return refused();
    }

    /**
     * Takes the devices of a VM out of its running VMM.
     *
     * @param qmp the VMM's QMP socket, if it is not the configured one
     * @return the names of those that were taken out; none if none was there
     */
    default CompletableFuture<List<String>> detach(String vm, Optional<Path> qmp) {
        return refused();
    }

    /**
     * Puts those devices back that were taken out so.
     *
     * @param qmp the VMM's QMP socket, if it is not the configured one
     * @return the names of those that were put back; none if none had been taken out
     */
    default CompletableFuture<List<String>> attach(String vm, Optional<Path> qmp) {
        return refused();
    }

    /**
     * Has the memory of a VM come on demand whose VMM waits for its guest.
     *
     * @param image the folder that it comes from
     * @param qmp the VMM's QMP socket
     */
    default CompletableFuture<PagedState> page(String vm, Path image, Path qmp) {
        return refused();
    }

    /** The VMs whose memory comes on demand, or has come so. */
    default List<PagedState> paged() {
        return List.of();
    }

    /** What is wrong with the process and its VMs, the worst first. */
    default CompletableFuture<List<Problem>> problems() {
        return CompletableFuture.completedFuture(List.of());
    }

    /**
     * A device that is served until something else has happened.
     *
     * @param reason what that is waited for, for people
     */
    record Kept(String vm, String device, String reason) {}

    private static <T> CompletableFuture<T> refused() {
        return CompletableFuture.failedFuture(
                new VirtualMachine.Refused("this process serves what it was started with"));
    }
}
