package org.exomem.backend.pages;

import java.util.EnumSet;
import java.util.Set;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSet;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.Pages;

/**
 * Keeps a bitmap of what is free by the messages of a feed (spec/pages.md, "What a bit says"). A page is free by a hint of
 * a session that counted when it came, or while it is in the balloon or its block is unplugged.
 */
final class FreePageRules implements PageFeed.Listener {
    /** What it needs to hear of. A page that was only reported is a hole in its file, which every engine sees. */
    static final Set<Kind> KINDS = EnumSet.complementOf(EnumSet.of(Kind.REPORTED));

    private static final PageFeed.Listener NOTHING = (kind, session, address, length) -> {};
    private static final int CHUNK_WORDS = PageSet.CHUNK_PAGES / Long.SIZE;

    private final PageBitmap bitmap;
    private final PageSubscription feed;
    private final PageSet hinted = new PageSet();
    private final PageSet balloon = new PageSet();
    private final PageSet blocks = new PageSet();
    private int session;
    private long lossesSeen;

    FreePageRules(PageBitmap bitmap, PageSubscription feed) {
        this.bitmap = bitmap;
        this.feed = feed;
    }

    /** Takes the messages that wait; returns whether anything may have changed. */
    boolean take() {
        boolean news = feed.drain(this) > 0;
        // After taking: a message that was lost may be newer than any of these.
        for (long losses = feed.losses(); losses != lossesSeen; losses = feed.losses()) {
            lossesSeen = losses;
            // It may be newer, too, than what waits by now: a page's way into the balloon, when its way out was lost.
            feed.drain(NOTHING);
            forget();
            news = true;
        }
        return news;
    }

    /** The reader has synced. What was hinted before is free no more; nor does a session count that has begun by now. */
    void synced() {
        count(0);
        for (int chunk = 0; chunk < hinted.chunks(); chunk++) {
            if (!hinted.isEmpty(chunk)) {
                for (int word = 0; word < CHUNK_WORDS; word++) {
                    if (hinted.word(chunk, word) != 0) {
                        bitmap.setWord(
                                (long) chunk * CHUNK_WORDS + word,
                                balloon.word(chunk, word) | blocks.word(chunk, word));
                    }
                }
            }
        }
        hinted.clear();
    }

    private void count(int id) {
        session = id;
        bitmap.session(id);
    }

    private void forget() {
        synced();
        forget(balloon);
        forget(blocks);
        bitmap.lost();
    }

    private void forget(PageSet pages) {
        pages.forEachRun(bitmap::remove);
        pages.clear();
    }

    @Override
    public void pages(Kind kind, int of, long address, long length) {
        switch (kind) {
            case HINTING_STARTED -> count(of);
            case HINTED -> {
                if (of == session && session != 0) {
                    add(hinted, address, length);
                }
            }
            // What it hinted was free after the reader's sync, and stays so until the next.
            case HINTING_ENDED -> count(0);
            case INFLATED -> add(balloon, address, length);
            case UNPLUGGED -> add(blocks, address, length);
            case DEFLATED, PLUGGED -> remove(address, length);
            case RESET -> {
                forget(balloon);
                // Some of them may be free for another reason.
                hinted.forEachRun(bitmap::add);
                blocks.forEachRun(bitmap::add);
            }
            case REPORTED -> {}
        }
    }

    private void add(PageSet pages, long address, long length) {
        long first = Pages.ceil(address);
        long count = Math.min(Pages.floor(address + length), bitmap.pages()) - first;
        if (count > 0) {
            pages.addAll(first, count);
            bitmap.add(first, count);
        }
    }

    /** Of all pages that have any part in the range nothing is known any more. */
    private void remove(long address, long length) {
        long first = Pages.floor(address);
        long end = Pages.ceil(address + length);
        long count = Math.min(end, bitmap.pages()) - first;
        if (count > 0) {
            hinted.removeAll(first, count);
            balloon.removeAll(first, count);
            blocks.removeAll(first, count);
            bitmap.remove(first, count);
        }
    }
}
