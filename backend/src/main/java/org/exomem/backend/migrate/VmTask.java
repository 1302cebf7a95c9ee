package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.migration.CancelToken;

/** What is done with a running VM's guest as a whole; one at a time for each VM, on a thread of its own. */
public interface VmTask {
    Direction direction();

    /** Where the guest goes, for people. */
    String destination();

    /**
     * Does it; returns when it is done.
     *
     * @param qmp the QMP socket of the VM's VMM
     * @param watcher is told how it goes
     * @param cancel ends it, as long as that leaves the guest as it was
     * @throws IOException if it could not be done; the guest then runs as before, unless it is a {@link
     *     org.exomem.migration.HandoverUncertainException}
     */
    void run(VirtualMachine vm, Path qmp, Departure watcher, CancelToken cancel) throws IOException;
}
