package org.exomem.backend.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.GuestStop;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Stops guests over the QMP sockets of their VMMs. Safe for use by several threads. */
public final class VmmStop implements GuestStop {
    private static final Logger LOG = LoggerFactory.getLogger(VmmStop.class);

    /** The sockets of the VMMs to which a request is under way. */
    private final Set<Path> underWay = ConcurrentHashMap.newKeySet();

    /** Sends the request on a thread of its own: a VMM that does not answer must not delay the caller. */
    @Override
    public void stop(Path qmp, Consumer<String> failed) {
        if (underWay.add(qmp)) {
            Thread.ofPlatform().daemon().name("vmm-stop").start(() -> ask(qmp, failed));
        }
    }

    private void ask(Path qmp, Consumer<String> failed) {
        try (QmpClient vmm = QmpClient.connectToVmm(qmp)) {
            vmm.execute("stop", Json.object());
            LOG.warn("the VMM on {} has stopped its guest", qmp);
        } catch (IOException | QmpException e) {
            failed.accept("the VMM's QMP socket " + qmp + ": " + e.getMessage());
        } finally {
            underWay.remove(qmp);
        }
    }
}
