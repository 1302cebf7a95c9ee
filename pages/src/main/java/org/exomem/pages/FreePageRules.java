package org.exomem.pages;

import java.util.EnumSet;
import java.util.Set;
import org.exomem.pages.PageFeed.Kind;

/**
 * The rules by which the messages of a {@link PageFeed} tell which pages are free (spec/migration.md, MIG-HINT and
 * MIG-STATE). There is one copy of them, for exomem's own engine and for what is shared with a VMM's (spec/pages.md).
 *
 * <p>A page in the balloon or of an unplugged block is free until a message tells that it is not. A hint says only that the
 * page was free at some time since its session began. It counts if that is after the last sync of what was written: then what
 * the page held at the sync is needed by nobody, and a later write is in the next sync. So a session counts if its beginning is
 * taken after what waited at the sync, until it ends or the next sync comes.
 *
 * <p>For one thread: the one that takes the messages.
 */
public final class FreePageRules {
    /** The messages from which all reasons are known. A page that was only reported is a hole in its file. */
    public static final Set<Kind> KINDS = EnumSet.complementOf(EnumSet.of(Kind.REPORTED));

    private static final FreeReason[] REASONS = FreeReason.values();
    private static final PageFeed.Listener NOTHING = (kind, session, address, length) -> {};

    private final PageSubscription messages;
    private final FreePages pages;
    // Made once: taking happens often, and mostly for nothing.
    private final PageFeed.Listener listener = this::message;
    /** The session that counts, 0 if none does. */
    private int current;
    /** The session that counted last has ended, and no other has begun. */
    private boolean ended;
    /** Losses that have been dealt with. A subscription begins with none, and may have some before the first look. */
    private long losses;

    /**
     * @param messages of the reasons' {@linkplain FreeReason#kinds kinds} that {@code pages} keeps, from the beginning of the
     *     subscription on; stays the caller's
     * @param pages is told what is free
     */
    public FreePageRules(PageSubscription messages, FreePages pages) {
        this.messages = messages;
        this.pages = pages;
    }

    /** Takes the messages that wait. Returns whether anything may have changed. */
    public boolean take() {
        boolean news = messages.drain(listener) > 0;
        // After taking: a message that was lost may be newer than any of these (MIG-HINT-5, MIG-STATE-5).
        for (long now = messages.losses(); now != losses; now = messages.losses()) {
            losses = now;
            // It may also be newer than what waits by now: a page's way into the balloon, when its way out was lost.
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
     * Takes the messages that wait, and forgets the hints among what is known: what was written has been synced, completely
     * (MIG-ROUND-2). No session counts that has begun by now, for it may have begun before the sync (MIG-HINT-2).
     */
    public void synced() {
        take();
        count(0);
        ended = false;
        pages.forget(FreeReason.HINTED);
    }

    /** True if a hint session that began after the last {@link #synced} has ended, as far as messages were taken: no more hints come of it. */
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
            // What it has hinted was free after the last sync, and stays so until the next one (MIG-HINT-3).
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
