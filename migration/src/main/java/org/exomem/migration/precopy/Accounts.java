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
 * Which pages are owed to the destination, and why others are not. Belongs to the engine's thread, and is the only place
 * where a page stops being owed without being looked at. The rules are those of {@code spec/migration.md}, MIG-ROUND and
 * MIG-HINT.
 */
final class Accounts {
    private final MigrationSource source;
    private final PageTable table;
    private final boolean blind;
    private final boolean skipUnchanged;
    /** What this round has still to look at. */
    private final PageBits owed;
    /** Hinted pages that this round looks at when it is through with the others. */
    private final PageBits later;
    /** Pages that are left out of this round on a guess; the next sync makes them owed again (MIG-SETTLE-1). */
    private final PageBits guessed;

    private final PageBits scratch;
    /** What was written between the last two syncs; only to be looked at. */
    private final PageBits written;

    private boolean synced;
    private final Map<Fate, PageBits> excused = new EnumMap<>(Fate.class);
    private boolean postpones;
    private boolean guesses = true;
    /** Pages that were told of by sources that may tell of a write before it is done (MIG-DIRTY-8). */
    private final PageBits early;

    private final boolean tellsEarly;
    private boolean looked;
    private boolean last;
    private long hintedBefore;
    private long hintedAfter;

    /** All pages are owed at the beginning. */
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
     * The guest is paused: what was left out on a guess has to be certain now.
     *
     * @return the worst that a source says
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

    /** From now on nothing is left out on a guess where that was not settled at the last pause (MIG-SETTLE-3). */
    void guessLess() {
        source.free().forEach(FreePageSource::guessLess);
    }

    /** From now on nothing is left out on a guess (MIG-SETTLE-3). */
    void guessNoMore() {
        guesses = false;
    }

    /** No sync follows the next one. */
    void lastRound() {
        last = true;
    }

    /** What there is to be looked at by others. */
    PagesOnTheWay onTheWay() {
        return new PagesOnTheWay(table.travelled, written);
    }

    /** The pages that this round has still to look at; workers take them out. */
    PageBits owed() {
        return owed;
    }

    /**
     * Every page that was written is owed again, and excused no more (MIG-ROUND-1). First all writes are fetched, then what is
     * free (MIG-ROUND-2): the content of a page that turns out free after this is not needed, unless the page is written
     * again, which the next sync tells.
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
        // The first sync tells what was written at any time before.
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
            // After looking, hints are measured by the contents of then, not by this sync.
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
     * False if most of the pages that hints had excused at the last sync had been written meanwhile: the guest clears what it
     * hints, and would do so again (MIG-ROUND-7).
     */
    boolean hintsLast() {
        return hintedAfter >= hintedBefore / 2;
    }

    /** The fingerprints of all contents were taken: from now on hints count from here, not from the last sync (MIG-SKIP-2). */
    void looked() {
        for (FreePageSource free : source.free()) {
            free.synced();
        }
        looked = true;
    }

    /** Takes what is known to be free by now out of what is owed. Returns true if there was anything new. */
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

    /** True if no more hints are to be expected of the session that was asked for last, as far as {@link #excuse} knows. */
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
            // MIG-HOLE-1: the destination needs what is here, zeros. A page that was sent before has to become zeros
            // there too.
            scratch.andNot(table.sent);
            scratch.andNot(table.unsure);
            // What it held before is gone, so the destination has what is here.
            table.assumedFree.andNot(scratch);
        } else if (free.isHint() && blind) {
            excuseUntilNextRound();
            return;
        }
        owed.andNot(scratch);
        Objects.requireNonNull(excused.get(fate)).or(scratch);
        // What was under way when the guest gave the page up is done, or of no interest to anybody.
        early.andNot(scratch);
    }

    /** Each sync makes these pages owed again (MIG-DIRTY-5). After the last one they stay owed: they have to be looked at. */
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

    /** Makes what was put off the rest of the round (MIG-SKIP-1). Returns false if nothing was. */
    boolean takeUpPostponed() {
        postpones = false;
        if (later.isEmpty()) {
            return false;
        }
        owed.or(later);
        later.clear();
        return true;
    }

    /** Adds what the destination gets later; counts as sent, and is looked at no more (MIG-POST-2). */
    void owe(PageBits to) {
        to.or(owed);
        table.travelled.or(owed);
        owed.clear();
    }

    /** The connection was lost: it is unknown what has arrived of what this round has sent (MIG-CUT-1). */
    void lost() {
        table.lose(owed);
    }

    /** The destination has all that this round has sent. */
    void arrived() {
        table.confirm();
    }

    /** Gives the pages that were never sent and whose content is not needed; at the end. */
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

    /** What became of each page; at the end, once. */
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
