package org.exomem.backend.migrate;

import java.time.Duration;
import org.exomem.migration.CancelToken;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.precopy.PagesOnTheWay;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;

/** Is told how it goes with a guest that leaves its VMM, or of which a copy is made; on the task's thread. */
public interface Departure {
    /** The guest has so many bytes of memory. */
    void memory(long bytes);

    /** Again and again, as the balloon inflates. */
    void balloonFirst(BalloonFirst.Result soFar);

    /** That is how writes are found, from now on. */
    void writes(GuestWrites.Found how);

    /** It has come so far. */
    void status(Status status);

    /** Again and again, as memory travels. */
    void progress(Progress progress);

    /** These are the pages that travel, and where the guest has them. */
    default void pages(AddressMap addresses, PagesOnTheWay pages) {}

    /** The connection was lost, and is made again for so long. */
    void lost(String why, Duration within);

    /** The connection is there again. */
    void back();

    /**
     * The guest runs at the destination, and pages are owed to it.
     *
     * @param abandon when it is cancelled, they are sent no more, and the guest over there is lost
     */
    void owing(CancelToken abandon);

    /** What became of memory. */
    void report(Report report);

    /** The guest runs again, there or here. */
    void downtime(Duration paused);

    /** Something that an operator should know and that stops nothing. */
    void note(String what);
}
