package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.exomem.backend.migrate.MovedDevices;

/** Lets an exomem serve the devices of clones. Safe for use by several threads. */
@FunctionalInterface
public interface CloneServing {
    /**
     * Begins to serve the devices of a clone.
     *
     * @param clone its name, which becomes exomem's name of the VM
     * @param folder of the clone, for the sockets
     * @param qmp the socket on which its VMM listens for QMP
     * @param pid of its VMM
     * @param devices that the template's VM had
     * @return the sockets of the devices that are served, by device name
     * @throws IOException if none can be served
     */
    Map<String, Path> serve(String clone, Path folder, Path qmp, int pid, MovedDevices devices) throws IOException;
}
