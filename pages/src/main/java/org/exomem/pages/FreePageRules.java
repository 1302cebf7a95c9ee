package org.exomem.pages;

import java.util.EnumSet;
import java.util.Set;
import org.exomem.pages.PageFeed.Kind;

/**
 * The rules by which the messages of a {@link PageFeed} show which pages are free (spec/migration.md, MIG-HINT and
 * MIG-STATE). Used by exomem's own engine and for the bitmap that is shared with a VMM (spec/pages.md).
 *
 * <p>A page in the balloon or in an unplugged block is free until a message reports that it is not. A hint only says that
 * the page was free at some time since its session began. It counts if that is after the last sync of writes: then the
 * page's content at the sync is not needed, and a later write is in the next sync. So a session counts if its beginning is
 * processed after the messages that waited at the sync, until it ends or the next sync comes.
 *
 * <p>For one thread: the one that processes the messages.
 */
public final class FreePageRules {
    /** The kinds of messages for all reasons. A page that was only reported is a hole in its file. */
    public static final Set<Kind> KINDS = EnumSet.complementOf(EnumSet.of(Kind.REPORTED));

    private static final FreeReason[] REASONS = FreeReason.values();
    private static final PageFeed.Listener NOTHING = (kind, session, address, length) -> {};

    private final PageSubscription messages;
    private final FreePages pages;
    // Made once, because messages are processed often, and mostly there are none.
    private final PageFeed.Listener listener = this::message;
    /** The session whose hints count, 0 if none. */
    private int current;
    /** True if the last session that counted has ended, and no other has begun. */
    private boolean ended;
    /** The losses that were handled. A subscription begins without losses, and may have some before the first look. */
    private long losses;

    /**
     * @param messages of those {@linkplain FreeReason#kinds kinds} whose reasons {@code pages} keeps, from the beginning of
     *     the subscription; remains the caller's
     * @param pages receives the free pages
     */
    public FreePageRules(PageSubscription messages, FreePages pages) {
        this.messages = messages;
        this.pages = pages;
    }

    /** Processes the waiting messages. Returns whether anything may have changed. */
    public boolean take() {
        boolean news = messages.drain(listener) > 0;
        // After the messages: a lost message may be newer than any of these (MIG-HINT-5, MIG-STATE-5).
        for (long now = messages.losses(); now != losses; now = messages.losses()) {
            losses = now;
            // It may also be newer than the messages that wait by now: for example a page enters the balloon, and the
            // message that it left is lost.
            messages.drain(NOTHING);
            count(0);
            for (FreeReason reason : REASONS) {
                pages.forget(reason);
            }
            pages.lost();
            news = true;
        }
        return news;
    }

    /**
     * Processes the waiting messages, and drops all hints: writes have been synced completely (MIG-ROUND-2). Sessions that
     * have begun by now do not count, because they may have begun before the sync (MIG-HINT-2).
     */
    public void synced() {
        take();
        count(0);
        ended = false;
        pages.forget(FreeReason.HINTED);
    }

    /**
     * True if a hint session that began after the last {@link #synced} has ended, as far as messages were processed: it
     * gives no more hints.
     */
    public boolean hintsHaveEnded() {
        return ended;
    }

    private void count(int session) {
        current = session;
        pages.session(session);
    }

    private void message(Kind kind, int session, long address, long length) {
        switch (kind) {
            case HINTING_STARTED -> {
                count(session);
                ended = false;
            }
            case HINTED -> {
                // MIG-HINT-4
                if (session == current && session != 0) {
                    pages.free(FreeReason.HINTED, address, length);
                }
            }
            // Its hinted pages were free after the last sync, and remain so until the next one (MIG-HINT-3).
            case HINTING_ENDED -> {
                if (session == current && session != 0) {
                    ended = true;
                    count(0);
                }
            }
            // MIG-STATE-1
            case INFLATED -> pages.free(FreeReason.BALLOON, address, length);
            case DEFLATED -> pages.used(FreeReason.BALLOON, address, length);
            case UNPLUGGED -> pages.free(FreeReason.UNPLUGGED, address, length);
            case PLUGGED -> pages.used(FreeReason.UNPLUGGED, address, length);
            // MIG-STATE-3
            case RESET -> pages.forget(FreeReason.BALLOON);
            case REPORTED -> {}
        }
    }
}
