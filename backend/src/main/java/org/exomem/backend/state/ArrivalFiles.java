package org.exomem.backend.state;

import java.io.IOException;
import java.util.List;

/**
 * Where it is kept that guests have arrived before their memory. Each call takes as long as the file system does, which may be for good:
 * not on an event loop, and not under a monitor that one takes.
 */
public interface ArrivalFiles {
    /**
     * Where it is kept of one VM; whether the file is there is not looked at.
     *
     * @throws IOException if the directory can't be used
     */
    ReplacedFile arrival(String vm) throws IOException;

    /**
     * All that are there.
     *
     * @throws IOException if the directory can't be used
     */
    List<ReplacedFile> arrivals() throws IOException;
}
