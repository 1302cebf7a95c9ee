package org.exomem.backend.pages;

import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import org.exomem.pages.BitWords;
import org.exomem.pages.FreePages;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * Keeps free pages in the bitmap that is shared with a VMM: a bit is set while its page is free for any reason
 * (spec/pages.md, PAG-BIT-1).
 */
final class BitmapPages implements FreePages {
    private final PageBitmap bitmap;
    private final Map<FreeReason, PageSet> reasons = new EnumMap<>(FreeReason.class);

    BitmapPages(PageBitmap bitmap) {
        this.bitmap = bitmap;
        for (FreeReason reason : FreeReason.values()) {
            reasons.put(reason, new PageSet());
        }
    }

    @Override
    public void free(FreeReason reason, long address, long length) {
        long first = Pages.ceil(address);
        long count = Math.min(Pages.floor(address + length), bitmap.pages()) - first;
        if (count > 0) {
            pages(reason).addAll(first, count);
            bitmap.add(first, count);
        }
    }

    /** A page that is used is free for no reason any more (PAG-BIT-3). */
    @Override
    public void used(FreeReason reason, long address, long length) {
        long first = Pages.floor(address);
        long count = Math.min(Pages.ceil(address + length), bitmap.pages()) - first;
        if (count > 0) {
            reasons.values().forEach(pages -> pages.removeAll(first, count));
            bitmap.remove(first, count);
        }
    }

    /** Pages that are free for another reason too remain free. */
    @Override
    public void forget(FreeReason reason) {
        PageSet forgotten = pages(reason);
        long end = forgotten.end();
        for (long page = forgotten.next(0, end, true); page < end; ) {
            bitmap.setWord(BitWords.index(page), others(forgotten, BitWords.index(page)));
            page = forgotten.next(BitWords.nextWord(page), end, true);
        }
        forgotten.clear();
    }

    private PageSet pages(FreeReason reason) {
        return Objects.requireNonNull(reasons.get(reason));
    }

    private long others(PageSet forgotten, long word) {
        long free = 0;
        for (PageSet pages : reasons.values()) {
            free |= pages == forgotten ? 0 : pages.word(word);
        }
        return free;
    }

    /** PAG-BIT-2 */
    @Override
    public void session(int id) {
        bitmap.session(id);
    }

    /** PAG-BIT-4 */
    @Override
    public void lost() {
        bitmap.lost();
    }
}
