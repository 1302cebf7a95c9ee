package org.exomem.migration;

import java.io.IOException;

/** Ends a round at the destination. */
@FunctionalInterface
public interface RoundBarrier {
    /**
     * Ends a round on all sinks: pages that were sent before can't overtake pages that are sent after it (MIG-ROUND-4).
     * Called while no sink is in use.
     *
     * @throws ConnectionLostException if the connection was lost; the round may have ended or not
     */
    void endRound() throws IOException;
}
