package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.migration.CancelToken;

/** A migration to another host. */
record OutgoingTask(MigrationRequest request) implements VmTask {
    @Override
    public Direction direction() {
        return Direction.OUTGOING;
    }

    @Override
    public String destination() {
        return request.address().toString();
    }

    @Override
    public void run(VirtualMachine vm, Path qmp, Departure watcher, CancelToken cancel) throws IOException {
        OutgoingVm.migrate(vm, qmp, request, watcher, cancel);
    }
}
