package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.Optional;
import org.exomem.backend.state.ArrivalFiles;
import org.exomem.backend.state.ReplacedFile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file that says that a VM's guest runs here while pages are still owed to it. Each call takes as long as the file
 * system does, which may be forever: do not call it on an event loop, nor under a monitor that an event loop takes.
 *
 * @param files empty if nothing is kept
 */
record KeptArrival(String vm, Optional<ArrivalFiles> files) {
    private static final Logger LOG = LoggerFactory.getLogger(KeptArrival.class);

    /**
     * Checks that no guest may run here that waits for its memory, while no migration goes on with it (MIG-POST-4).
     *
     * @throws IOException if there may be one, or the file system gives no answer; the message says what to do
     */
    void expectNone() throws IOException {
        if (files.isEmpty()) {
            return;
        }
        ReplacedFile file;
        try {
            file = files.get().arrival(vm);
        } catch (IOException e) {
            throw new IOException("can't determine whether its guest waits here for its memory: " + e.getMessage(), e);
        }
        if (file.isThere()) {
            throw new IOException(
                    "it may run here and wait for memory that another host has, according to " + file.path()
                            + ". exomem can't continue that migration. Check its VMM. If the VMM has ended, or if the"
                            + " guest does not run"
                            + " there and you give it up: end the VMM, and remove that file");
        }
    }

    /** The file for what the next exomem needs. Empty, with a line in the log, if there can be none. */
    Optional<ReplacedFile> file() {
        try {
            return files.isPresent() ? Optional.of(files.get().arrival(vm)) : Optional.empty();
        } catch (IOException e) {
            LOG.warn("{}: its guest can't start here before all of its memory has arrived: {}", vm, e.getMessage());
            return Optional.empty();
        }
    }
}
