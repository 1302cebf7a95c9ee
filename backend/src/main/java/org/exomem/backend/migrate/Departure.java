package org.exomem.backend.migrate;

import java.time.Duration;
import org.exomem.migration.CancelToken;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.precopy.PagesOnTheWay;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;

/** Notified of the progress of a guest that leaves its VMM, or of which a copy is made. Called on the task's thread. */
public interface Departure {
    /** The size of the guest's memory is known, in bytes. */
    void memory(long bytes);

    /** Called repeatedly while the balloon inflates. */
    void balloonFirst(BalloonFirst.Result soFar);

    /** Writes are found this way from now on. */
    void writes(GuestWrites.Found how);

    /** The task has reached this status. */
    void status(Status status);

    /** Called repeatedly while memory is sent. */
    void progress(Progress progress);

    /** The pages that are sent, and their addresses in the guest. */
    default void pages(AddressMap addresses, PagesOnTheWay pages) {}

    /** The connection was lost. New attempts to connect are made for {@code within}. */
    void lost(String why, Duration within);

    /** A new connection is there. */
    void back();

    /**
     * The guest runs at the destination, and this host still owes pages to it.
     *
     * @param abandon cancelling it ends the sending of pages, and the guest at the destination is lost
     */
    void owing(CancelToken abandon);

    /** What became of the pages of memory. */
    void report(Report report);

    /**
     * The guest runs again, at the destination or here.
     *
     * @param paused how long it did not run
     */
    void downtime(Duration paused);

    /** A remark for the operator. Nothing stops because of it. */
    void note(String what);
}
