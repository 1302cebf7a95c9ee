package org.exomem.backend;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.exomem.backend.control.ControlClient;
import org.exomem.backend.control.Json;
import org.exomem.backend.control.QmpException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Stops a guest over the QMP socket of its VMM. */
final class VmmStop {
    private static final Logger LOG = LoggerFactory.getLogger(VmmStop.class);

    private VmmStop() {}

    /** Asks on a thread of its own: a VMM that does not answer must not hold up anybody. */
    static void ask(Path qmp, Consumer<String> failed) {
        Thread.ofPlatform().daemon().name("vmm-stop").start(() -> {
            try (ControlClient vmm = ControlClient.connect(qmp)) {
                vmm.execute("stop", Json.object());
                LOG.warn("the VMM on {} has stopped its guest", qmp);
            } catch (IOException | QmpException e) {
                failed.accept("the VMM's QMP socket " + qmp + ": " + e.getMessage());
            }
        });
    }
}
