package org.exomem.backend.state;

import java.io.IOException;
import java.util.List;

/**
 * The files that say that guests run here while pages are owed to them. Each call takes as long as the file system does,
 * which may be forever: do not call it on an event loop, nor under a monitor that an event loop takes.
 */
public interface ArrivalFiles {
    /**
     * Returns the file of one VM, whether it exists or not.
     *
     * @throws IOException if the directory can't be used
     */
    ReplacedFile arrival(String vm) throws IOException;

    /**
     * Returns all files that exist.
     *
     * @throws IOException if the directory can't be used
     */
    List<ReplacedFile> arrivals() throws IOException;
}
