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
 * @param direction what becomes of its guest
 * @param peer the other end: where the guest goes, or where it is waited for
 * @param elapsed since the migration was asked for, or until it was over
 * @param memory bytes of the guest's memory; 0 before that is known
 * @param sent bytes that went to the network
 * @param balloonFirst what the balloon has taken before, so far, if that was wanted
 * @param writes how the guest's writes are found, at a source that has begun
 * @param progress of memory, at a source that has begun
 * @param downtime for which the guest was paused, at a source that is done
 * @param report what became of memory, at a source that is done
 * @param received what came, at a destination that is done
 * @param owed how far a destination is whose guest runs before its memory has come, or was then
 * @param error why it failed
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
    /** True if the VM comes from another host. */
    public boolean incoming() {
        return direction == Direction.INCOMING;
    }
}
