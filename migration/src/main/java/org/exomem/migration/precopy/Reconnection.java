package org.exomem.migration.precopy;

import java.io.IOException;
import org.exomem.migration.ConnectionLostException;

/** Restores a lost connection to the destination. */
@FunctionalInterface
public interface Reconnection {
    /** A lost connection ends the migration. */
    Reconnection NONE = lost -> {
        throw lost;
    };

    /**
     * Returns when the same sinks, and their barrier, can be used again, and nothing that was sent before can arrive any
     * more (MIG-CUT-4). Called on the engine's thread while no sink is in use.
     *
     * @param lost the exception of a sink or the barrier
     * @return how many complete rounds the destination has: those whose barrier was passed, and maybe the one whose barrier
     *     was under way
     * @throws IOException if the connection can't be restored
     */
    long reconnect(ConnectionLostException lost) throws IOException;
}
