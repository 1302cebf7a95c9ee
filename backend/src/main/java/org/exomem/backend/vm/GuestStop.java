package org.exomem.backend.vm;

import java.nio.file.Path;
import java.util.function.Consumer;

/** Asks a VMM to stop its guest. */
@FunctionalInterface
public interface GuestStop {
    /**
     * Sends the request, and does not wait for the answer. Does nothing while a request to that VMM is under way.
     *
     * @param qmp the VMM's QMP socket
     * @param failed receives on any thread why the guest could not be stopped
     */
    void stop(Path qmp, Consumer<String> failed);
}
