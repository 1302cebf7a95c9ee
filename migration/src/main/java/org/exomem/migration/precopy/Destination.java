package org.exomem.migration.precopy;

import java.util.List;
import org.exomem.migration.PageSink;
import org.exomem.migration.RoundBarrier;

/**
 * The destination of a guest.
 *
 * @param sinks at least one; each gets a thread of its own
 * @param barrier ends rounds on all of them
 * @param reconnection restores a lost connection
 * @param promise tells the destination which pages come after its guest has begun
 */
public record Destination(
        List<? extends PageSink> sinks, RoundBarrier barrier, Reconnection reconnection, Promise promise) {
    /** A destination whose connection is not restored, and without post-copy. */
    public Destination(List<? extends PageSink> sinks, RoundBarrier barrier) {
        this(sinks, barrier, Reconnection.NONE, Promise.NONE);
    }
}
