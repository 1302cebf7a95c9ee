package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.io.OutputStream;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.pages.PageBits;

/**
 * What receives a guest. Each failure that a method throws ends the migration, and its message is what the source's user
 * reads; it goes on there. Methods are called by different threads, but one after the other.
 */
public interface Destination {
    /**
     * A source wants to send this memory: checks that it is the right one, makes or opens its files.
     *
     * @return where pages go; closed by the receiver
     */
    PageTarget open(MemoryDescription memory, String source) throws IOException;

    /**
     * After {@link #open}: the source may owe pages when the guest begins here. What takes time is done now, and not while the guest is
     * paused.
     *
     * @throws IOException if they can't come later; the source is told, and another may come
     */
    default void mayBeOwed() throws IOException {}

    /**
     * A device's state begins. It counts only if {@link #ready} follows; after a cut the same state may begin again, and
     * replaces what came before.
     *
     * @return where it goes; closed at the state's end, and when the migration fails
     */
    OutputStream deviceState(String name) throws IOException;

    /**
     * The source will owe pages when the guest begins here, which still runs there (STR-PST-3): throws away what there is of them, and has
     * whoever touches one wait. Comes once, after the last page of a round; {@link #owing} follows, or {@link #failed}.
     *
     * @param promised the pages
     */
    default void listening(PageBits promised) throws IOException {
        throw new IOException("no guest begins here before its memory has come");
    }

    /**
     * The source owes pages when the guest begins here, and has stopped there: throws away what there is of those that were not
     * promised, and asks for each for which somebody waits. Comes after {@link #listening} and before {@link #ready}; or by itself, where
     * an earlier process has begun with the migration, when its source has come back.
     *
     * @param begun what another process has to know that goes on with it, should this one end
     * @param owed the pages, those that were promised too
     * @param want asks the source for one of them
     */
    default PostCopyMemory owing(BegunMigration begun, PageBits owed, WantedPage want) throws IOException {
        throw new IOException("no guest begins here before its memory has come");
    }

    /** The pages that are not there, where an earlier process has begun with the migration. */
    default PageBits absent() throws IOException {
        throw new IOException("no migration was begun by an earlier process");
    }

    /** Everything is here, but for what is owed, and what it should be: gets the guest ready to start, and does not start it (STR-END-2). */
    void ready(ReceivedMigration received) throws IOException;

    /**
     * The source let go: starts the guest (STR-END-3).
     *
     * @throws HandoverUncertainException if it is not known whether it runs: neither end goes on by itself then
     * @throws IOException if it does not run and will not: the source goes on
     */
    void start() throws IOException;

    /** The guest runs here, and pages are owed to it: {@link #started} comes when they have arrived. */
    default void startedOwing() {}

    /** The guest runs here with all of its memory, and the source was told: what can wait until then. */
    default void started() {}

    /**
     * The migration failed: throws away what there is of it (STR-END-5). Comes after {@link #open} at most once, and never after a start
     * but one that failed for certain.
     */
    void failed(IOException why);

    /** The connection to the source was lost. What has come is kept for a while, in which it may come back. Must not wait. */
    default void lost(IOException why) {}

    /** The source has come back after {@link #lost}, and goes on. Must not wait. */
    default void cameBack() {}

    /** A connection was turned away, and this destination waits on. */
    default void turnedAway(String who, IOException why) {}
}
