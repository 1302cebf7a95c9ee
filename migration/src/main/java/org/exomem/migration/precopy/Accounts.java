package org.exomem.migration.precopy;

import java.io.IOException;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import org.exomem.migration.Fate;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FreePageSource;
import org.exomem.migration.pagesource.Settling;
import org.exomem.pages.PageBits;
import org.exomem.pages.RunVisitor;

/**
 * Which pages are owed to the destination, and why others are not. Used by the engine's thread only. This is the only place
 * where a page stops being owed without being read. Implements MIG-ROUND and MIG-HINT of {@code spec/migration.md}.
 */
final class Accounts {
    private final MigrationSource source;
    private final PageTable table;
    private final boolean blind;
    private final boolean skipUnchanged;
    /** Pages that this round has still to read. */
    private final PageBits owed;
    /** Hinted pages, which this round reads after all others. */
    private final PageBits later;
    /** Pages that this round leaves out because of a guess. The next sync makes them owed again (MIG-SETTLE-1). */
    private final PageBits guessed;

    private final PageBits scratch;
    /** Pages that were written between the last two syncs; for display only. */
    private final PageBits written;

    private boolean synced;
    private final Map<Fate, PageBits> excused = new EnumMap<>(Fate.class);
    private boolean postpones;
    private boolean guesses = true;
    /** Pages that were reported by sources that may report a write before it is done (MIG-DIRTY-8). */
    private final PageBits early;

    private final boolean tellsEarly;
    private boolean looked;
    private boolean last;
    private long hintedBefore;
    private long hintedAfter;

    /** Makes all pages owed. */
    Accounts(MigrationSource source, PageTable table, HintedPages hintedPages) {
        long pages = source.memory().pages();
        this.source = source;
        this.table = table;
        this.blind = source.isBlind();
        this.skipUnchanged = blind && hintedPages == HintedPages.SKIP_UNCHANGED;
        this.owed = new PageBits(pages);
        this.later = new PageBits(pages);
        this.guessed = new PageBits(pages);
        this.scratch = new PageBits(pages);
        this.written = new PageBits(pages);
        this.early = new PageBits(pages);
        this.tellsEarly = source.dirty().stream().anyMatch(DirtySource::mayTellEarly);
        for (FreePageSource free : source.free()) {
            excused.computeIfAbsent(free.fate(), fate -> new PageBits(pages));
        }
        owed.addAll();
    }

    /**
     * Called when the guest is paused: checks whether the guesses are certain now.
     *
     * @return the worst answer of a source
     * @throws IOException if a source fails
     */
    Settling settle() throws IOException {
        Settling worst = Settling.CERTAIN;
        if (guesses) {
            for (FreePageSource free : source.free()) {
                Settling settling = free.settle();
                worst = settling.compareTo(worst) > 0 ? settling : worst;
            }
        }
        return worst;
    }

    /** Gives up those guesses that the last pause did not settle (MIG-SETTLE-3). */
    void guessLess() {
        source.free().forEach(FreePageSource::guessLess);
    }

    /** Gives up all guesses (MIG-SETTLE-3). */
    void guessNoMore() {
        guesses = false;
    }

    /** Declares that only one more sync follows. */
    void lastRound() {
        last = true;
    }

    /** The sets for display by other threads. */
    PagesOnTheWay onTheWay() {
        return new PagesOnTheWay(table.travelled, written);
    }

    /** The pages that this round has still to read. Workers remove them. */
    PageBits owed() {
        return owed;
    }

    /**
     * Makes every page owed that was written, and drops its excuse (MIG-ROUND-1). First all writes are fetched, then the
     * free pages (MIG-ROUND-2): the content of a page that becomes free after the fetch is not needed, unless the page is
     * written again, which the next sync reports.
     */
    void sync() {
        owed.or(later);
        later.clear();
        owed.or(guessed);
        guessed.clear();
        source.dirty().forEach(DirtySource::beginSync);
        for (DirtySource dirty : source.dirty()) {
            dirty.sync(scratch);
        }
        // The first sync reports all earlier writes.
        if (synced) {
            written.copyOf(scratch);
        }
        synced = true;
        if (tellsEarly && last) {
            // MIG-DIRTY-8
            scratch.or(early);
        } else if (tellsEarly) {
            early.or(scratch);
        }
        owed.or(scratch);
        hintedBefore = hinted();
        for (PageBits pages : excused.values()) {
            pages.andNot(scratch);
        }
        hintedAfter = hinted();
        scratch.clear();
        for (FreePageSource free : source.free()) {
            // After the first look, hints refer to the contents at that time, not to this sync.
            if (!looked || !free.isHint()) {
                free.synced();
            }
        }
        // MIG-SKIP-1
        postpones = blind && !skipUnchanged;
    }

    private long hinted() {
        PageBits hinted = excused.get(Fate.HINTED);
        return hinted == null ? 0 : hinted.count();
    }

    /**
     * False if most of the pages that hints had excused at the last sync were written meanwhile: the guest clears what it
     * hints, and would do so again (MIG-ROUND-7).
     */
    boolean hintsLast() {
        return hintedAfter >= hintedBefore / 2;
    }

    /** All fingerprints were taken. From now on hints refer to this time, not to the last sync (MIG-SKIP-2). */
    void looked() {
        for (FreePageSource free : source.free()) {
            free.synced();
        }
        looked = true;
    }

    /** Removes pages that are known to be free from the owed pages. Returns true if there was anything new. */
    boolean excuse() throws IOException {
        boolean any = false;
        for (FreePageSource free : source.free()) {
            if (free.collect(scratch, owed)) {
                any = true;
                scratch.and(owed);
                excuse(free);
                scratch.clear();
            }
        }
        return any;
    }

    /** True if no more hints of the last session are expected, as far as {@link #excuse} knows. */
    boolean hintsHaveEnded() {
        return source.free().stream().anyMatch(FreePageSource::hintsHaveEnded);
    }

    private void excuse(FreePageSource free) {
        if (free.isGuess()) {
            if (guesses) {
                owed.andNot(scratch);
                guessed.or(scratch);
            }
            return;
        }
        Fate fate = free.fate();
        if (!fate.isNotNeeded()) {
            // MIG-HOLE-1: the destination needs the present content, which is zeros. A page that was sent before must
            // become zeros there too.
            scratch.andNot(table.sent);
            scratch.andNot(table.unsure);
            // Its content before is lost here, so the destination has the present content.
            table.assumedFree.andNot(scratch);
        } else if (free.isHint() && blind) {
            excuseUntilNextRound();
            return;
        }
        owed.andNot(scratch);
        Objects.requireNonNull(excused.get(fate)).or(scratch);
        // A write that was under way when the guest gave the page up is done, or does not matter.
        early.andNot(scratch);
    }

    /**
     * Each sync makes these pages owed again (MIG-DIRTY-5). After the last sync they stay owed, because they must be read.
     */
    private void excuseUntilNextRound() {
        if (skipUnchanged) {
            scratch.and(table.seen);
            table.assumedFree.or(scratch);
            if (!last) {
                owed.andNot(scratch);
            }
        } else if (postpones) {
            later.or(scratch);
            owed.andNot(scratch);
        }
    }

    /** Continues the round with the postponed pages (MIG-SKIP-1). Returns false if there are none. */
    boolean takeUpPostponed() {
        postpones = false;
        if (later.isEmpty()) {
            return false;
        }
        owed.or(later);
        later.clear();
        return true;
    }

    /**
     * Adds the owed pages to a set of pages that the destination gets later. They count as sent, and are not read any more
     * (MIG-POST-2).
     */
    void owe(PageBits to) {
        to.or(owed);
        table.travelled.or(owed);
        owed.clear();
    }

    /** The connection was lost: it is unknown which pages of this round have arrived (MIG-CUT-1). */
    void lost() {
        table.lose(owed);
    }

    /** The destination has all pages that this round has sent. */
    void arrived() {
        table.confirm();
    }

    /** Visits the pages that were never sent and whose content is not needed. Call it at the end. */
    <E extends Exception> void forEachFreeRun(RunVisitor<E> visitor) throws E {
        scratch.or(table.assumedFree);
        excused.forEach((fate, pages) -> {
            if (fate.isNotNeeded()) {
                scratch.or(pages);
            }
        });
        scratch.andNot(table.travelled);
        scratch.forEachRun(visitor);
        scratch.clear();
    }

    /** The number of pages of each fate. Call it once, at the end. */
    Map<Fate, Long> fates() {
        Map<Fate, Long> fates = new EnumMap<>(Fate.class);
        scratch.or(table.travelled);
        long before = scratch.count();
        fates.put(Fate.SENT, before);
        for (FreePageSource free : source.free()) {
            if (free.isHint()) {
                Objects.requireNonNull(excused.get(free.fate())).or(table.assumedFree);
            }
        }
        for (Map.Entry<Fate, PageBits> entry : excused.entrySet()) {
            scratch.or(entry.getValue());
            long now = scratch.count();
            fates.put(entry.getKey(), now - before);
            before = now;
        }
        fates.put(Fate.ZERO, scratch.pages() - before);
        scratch.clear();
        return fates;
    }
}
