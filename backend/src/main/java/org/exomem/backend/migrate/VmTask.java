package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.migration.CancelToken;

/** A task with the whole guest of a running VM. Each VM has at most one at a time, on a thread of its own. */
public interface VmTask {
    Direction direction();

    /** The destination of the guest, for people. */
    String destination();

    /**
     * Runs the task, and returns when it is done.
     *
     * @param qmp the QMP socket of the VM's VMM
     * @param watcher is notified of the progress
     * @param cancel ends the task, as long as that leaves the guest as it was
     * @throws IOException if the task failed; the guest then runs as before, except after a {@link
     *     org.exomem.migration.HandoverUncertainException}
     */
    void run(VirtualMachine vm, Path qmp, Departure watcher, CancelToken cancel) throws IOException;
}
