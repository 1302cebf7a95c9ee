package org.exomem.backend.pages;

import java.util.EnumSet;
import java.util.Set;
import org.exomem.vhostuser.memory.PageFeed;
import org.exomem.vhostuser.memory.PageFeed.Kind;
import org.exomem.vhostuser.memory.PageSet;
import org.exomem.vhostuser.memory.PageSubscription;

/**
 * Keeps a bitmap of what is free by the messages of a feed (spec/pages.md, "What a bit says"). A page is free by a hint of
 * the session that counts, or while it is in the balloon or its block is unplugged.
 */
final class FreePageRules implements PageFeed.Listener {
    /** What it needs to hear of. A page that was only reported is a hole in its file, which every engine sees. */
    static final Set<Kind> KINDS = EnumSet.complementOf(EnumSet.of(Kind.REPORTED));

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
        int taken = feed.drain(this);
        // After draining: a message that was lost came after those that waited.
        long losses = feed.losses();
        if (losses != lossesSeen) {
            lossesSeen = losses;
            forget();
        }
        return taken > 0;
    }

    /** A session of which is known by now that it began counts no more: it may have begun before the reader's sync. */
    void endSession() {
        session = 0;
        bitmap.session(0);
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

    private void forget() {
        endSession();
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
            case HINTING_STARTED -> {
                endSession();
                session = of;
                bitmap.session(of);
            }
            case HINTED -> {
                if (of == session && session != 0) {
                    add(hinted, address, length);
                }
            }
            case HINTING_ENDED -> endSession();
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
        long first = address + (1 << PageBitmap.PAGE_SHIFT) - 1 >>> PageBitmap.PAGE_SHIFT;
        long count = Math.min((address + length >>> PageBitmap.PAGE_SHIFT), bitmap.pages()) - first;
        if (count > 0) {
            pages.addAll(first, count);
            bitmap.add(first, count);
        }
    }

    /** Of all pages that have any part in the range nothing is known any more. */
    private void remove(long address, long length) {
        long first = address >>> PageBitmap.PAGE_SHIFT;
        long end = address + length + (1 << PageBitmap.PAGE_SHIFT) - 1 >>> PageBitmap.PAGE_SHIFT;
        long count = Math.min(end, bitmap.pages()) - first;
        if (count > 0) {
            hinted.removeAll(first, count);
            balloon.removeAll(first, count);
            blocks.removeAll(first, count);
            bitmap.remove(first, count);
        }
    }
}
