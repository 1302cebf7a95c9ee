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
 * The actions of commands on the process itself, and on the VMs that it serves. Called on the control socket's thread, so no
 * method may wait. Futures fail with {@link VirtualMachine.Refused} or {@link VirtualMachine.NotFound}.
 */
@FunctionalInterface
public interface ProcessControl {
    /** Begins to end the process. */
    void quit();

    /** The number of descriptors that the process reserves for neither VMs nor clients of the control socket. */
    default long descriptors() {
        return 0;
    }

    /**
     * Serves more devices: all, or none.
     *
     * @param clone the VMM of the devices, if they end with it
     */
    default CompletableFuture<Void> add(ServeConfig devices, Optional<Clone> clone) {
        return refused();
    }

    /**
     * A VMM whose devices are served while it runs.
     *
     * @param pid of its process
     * @param template the folder of the template from which it runs, if it is a clone
     */
    record Clone(int pid, Optional<Path> template) {}

    /**
     * Ends a VM, or one device of it: at once if no VMM is attached, otherwise when the VMM has left.
     *
     * @param device its id; empty for the whole VM
     * @return the devices that are still served, with the reasons
     */
    default CompletableFuture<List<Kept>> remove(String vm, Optional<String> device) {
        return refused();
    }

    /** The present configuration of a VM. */
    default CompletableFuture<VmConfig> config(String vm) {
        return refused();
    }

    /**
     * Removes the devices of a VM from its running VMM.
     *
     * @param qmp the VMM's QMP socket, if it is not the configured one
     * @return the names of the removed devices; empty if there was none
     */
    default CompletableFuture<List<String>> detach(String vm, Optional<Path> qmp) {
        return refused();
    }

    /**
     * Plugs the devices in again that {@link #detach} has removed.
     *
     * @param qmp the VMM's QMP socket, if it is not the configured one
     * @return the names of the devices that were plugged in; empty if none had been removed
     */
    default CompletableFuture<List<String>> attach(String vm, Optional<Path> qmp) {
        return refused();
    }

    /**
     * Lets the memory of a VM come on demand. Its VMM must be waiting for a guest.
     *
     * @param image the folder that the memory comes from
     * @param qmp the VMM's QMP socket
     */
    default CompletableFuture<PagedState> page(String vm, Path image, Path qmp) {
        return refused();
    }

    /** The VMs whose memory comes on demand, or has come in this way. */
    default List<PagedState> paged() {
        return List.of();
    }

    /** The problems of the process and its VMs, the worst first. */
    default CompletableFuture<List<Problem>> problems() {
        return CompletableFuture.completedFuture(List.of());
    }

    /**
     * A device that is served until something else has happened.
     *
     * @param reason what it waits for, for people
     */
    record Kept(String vm, String device, String reason) {}

    private static <T> CompletableFuture<T> refused() {
        return CompletableFuture.failedFuture(
                new VirtualMachine.Refused("this process serves only the devices that it was started with"));
    }
}
