package org.exomem.backend.vm;

import java.nio.file.Path;
import java.util.function.Consumer;

/** Asks a VMM to stop its guest. */
@FunctionalInterface
public interface GuestStop {
    /**
     * Asks, and does not wait for the answer. Does nothing while that VMM is being asked already.
     *
     * @param qmp the VMM's QMP socket
     * @param failed is told, on any thread, why it could not be done
     */
    void stop(Path qmp, Consumer<String> failed);
}
