package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.io.OutputStream;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.pages.PageBits;

/**
 * The receiver of a guest. Each failure that a method throws ends the migration. The source's user gets its message, and the
 * guest goes on at the source. Methods are called by different threads, but never at the same time.
 */
public interface Destination {
    /**
     * A source wants to send this memory: checks that it is the right one, and makes or opens its files.
     *
     * @return where pages go; closed by the receiver
     * @throws IOException if the destination does not accept this memory
     */
    PageTarget open(MemoryDescription memory, String source) throws IOException;

    /**
     * After {@link #open}: the source may owe pages when the guest begins here. Slow preparations happen here, not in the
     * guest's pause.
     *
     * @throws IOException if post-copy is not possible; this is reported to the source, and another source may connect
     */
    default void mayBeOwed() throws IOException {}

    /**
     * A device's state begins. It counts only if {@link #ready} follows. After a lost connection the same state may begin
     * again, and replaces the one before.
     *
     * @return where it is written; closed at the state's end, and when the migration fails
     * @throws IOException if the state is not accepted
     */
    OutputStream deviceState(String name) throws IOException;

    /**
     * The source will owe pages when the guest begins here; the guest still runs there (STR-PST-3). Makes these pages
     * missing, so that a thread that touches one waits. Called once, after the last round; {@link #owing} or {@link #failed}
     * follows.
     *
     * @param promised the pages
     * @throws IOException if post-copy is not possible
     */
    default void listening(PageBits promised) throws IOException {
        throw new IOException("the guest can't start here before its memory has arrived");
    }

    /**
     * The source owes pages when the guest begins here, and has paused the guest. Makes those pages missing that were not
     * promised, and requests each page that a thread waits for. Called after {@link #listening} and before {@link #ready}.
     * If an earlier process has begun the migration, called alone when its source has connected again.
     *
     * @param begun what another process needs to know to go on if this one ends
     * @param owed all owed pages, including those that were promised
     * @param want requests a page from the source
     * @throws IOException if post-copy is not possible
     */
    default PostCopyMemory owing(BegunMigration begun, PageBits owed, WantedPage want) throws IOException {
        throw new IOException("the guest can't start here before its memory has arrived");
    }

    /**
     * The missing pages, if an earlier process has begun the migration.
     *
     * @throws IOException if none has, or they can't be found out
     */
    default PageBits absent() throws IOException {
        throw new IOException("no earlier process began a migration");
    }

    /**
     * Everything but the owed pages has arrived, and is correct: gets the guest ready to start, and does not start it
     * (STR-END-2).
     *
     * @throws IOException if the guest can't be started here
     */
    void ready(ReceivedMigration received) throws IOException;

    /**
     * The source has handed over the guest: starts it (STR-END-3).
     *
     * @throws HandoverUncertainException if it is unknown whether it runs: neither end goes on by itself then
     * @throws IOException if it does not run and will not: it goes on at the source
     */
    void start() throws IOException;

    /** The guest runs here, and pages are owed to it. {@link #started} follows when they have arrived. */
    default void startedOwing() {}

    /** The guest runs here with all of its memory, and the source was notified. For work that can wait until then. */
    default void started() {}

    /**
     * The migration failed: drops everything of it (STR-END-5). Called after {@link #open} at most once, and never after a
     * start that may have succeeded.
     */
    void failed(IOException why);

    /**
     * The connection to the source was lost. What has arrived is kept for a while, in which the source may connect again.
     * Must not wait.
     */
    default void lost(IOException why) {}

    /** The source has connected again after {@link #lost}, and goes on. Must not wait. */
    default void cameBack() {}

    /** A connection was refused, and this destination goes on waiting. */
    default void turnedAway(String who, IOException why) {}
}
