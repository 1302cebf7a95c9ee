package org.exomem.migration.precopy;

import java.io.IOException;
import org.exomem.migration.ConnectionLostException;

/** Makes a connection to the destination again that was lost. */
@FunctionalInterface
public interface Reconnection {
    /** A connection that is lost ends the migration. */
    Reconnection NONE = lost -> {
        throw lost;
    };

    /**
     * Returns when the same sinks, and their barrier, can be used again, and nothing that was sent before can arrive any more (MIG-CUT-4).
     * Called on the engine's thread while no sink is in use.
     *
     * @param lost what a sink or the barrier threw
     * @return how many rounds the destination has completely: those whose barrier was passed, and maybe the one whose barrier
     *     was being made
     * @throws IOException if the connection stays lost
     */
    long reconnect(ConnectionLostException lost) throws IOException;
}
