package org.exomem.migration.precopy;

import java.util.List;
import org.exomem.migration.PageSink;
import org.exomem.migration.RoundBarrier;

/**
 * Where the guest goes.
 *
 * @param sinks at least one; each gets a thread of its own
 * @param barrier ends rounds on all of them
 * @param reconnection makes a connection again that was lost
 * @param promise says what comes only when the guest has begun there
 */
public record Destination(
        List<? extends PageSink> sinks, RoundBarrier barrier, Reconnection reconnection, Promise promise) {
    /** A destination to which a lost connection is not made again. */
    public Destination(List<? extends PageSink> sinks, RoundBarrier barrier) {
        this(sinks, barrier, Reconnection.NONE, Promise.NONE);
    }
}
