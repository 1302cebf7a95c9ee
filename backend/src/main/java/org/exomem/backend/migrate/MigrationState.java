package org.exomem.backend.migrate;

import java.time.Duration;
import java.util.Optional;
import org.exomem.migration.pager.PagerState;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.destination.ReceivedMigration;

/**
 * A VM's migration, or another task with its guest, at one moment.
 *
 * @param vm its name
 * @param direction where the guest goes
 * @param peer the other end: where the guest goes, or where this host waits for it
 * @param elapsed from the request until now, or until the end
 * @param memory bytes of the guest's memory; 0 while that is unknown
 * @param sent bytes that were sent to the network
 * @param balloonFirst what the balloon has taken so far, if it was to be inflated first
 * @param writes how the guest's writes are found, at a source that has begun
 * @param progress of memory, at a source that has begun
 * @param downtime how long the guest was paused, at a source that is done
 * @param report what became of memory, at a source that is done
 * @param received what arrived, at a destination that is done
 * @param owed the pager's present or last state, at a destination with post-copy
 * @param error why the migration failed
 */
public record MigrationState(
        String vm,
        Direction direction,
        Status status,
        String peer,
        Duration elapsed,
        long memory,
        long sent,
        Optional<BalloonFirst.Result> balloonFirst,
        Optional<GuestWrites.Found> writes,
        Optional<Progress> progress,
        Optional<Duration> downtime,
        Optional<Report> report,
        Optional<ReceivedMigration> received,
        Optional<PagerState> owed,
        Optional<String> error) {
    /** True if the guest comes from another host. */
    public boolean incoming() {
        return direction == Direction.INCOMING;
    }
}
