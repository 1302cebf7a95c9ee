package org.exomem.migration.precopy;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Queue;
import java.util.Set;
import org.exomem.migration.Chance;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.StateReplay;
import org.jspecify.annotations.Nullable;

/**
 * A guest, its devices and its VMM, as far as they affect a migration, and for each page whether its content is needed.
 * Each {@link #step} is one small action of one of them, chosen by the seed.
 *
 * <p>The guest is honest or lies. An honest guest obeys VIRTIO; behaviour that VIRTIO does not define is not tested
 * here. A liar hints pages that it uses. For both, a hinted page is not needed from the moment at which the guest puts
 * the hint into its queue, until it writes the page again.
 */
final class World {
    /** Actions of a guest, each one of sixteen. */
    private static final int TAKES_BACK = 5;

    static final int WORDS_IN_PAGE = 2;
    static final long PAGE = 4096;
    private static final int BLOCK = 4;
    private static final int STOP = 0;

    /** The guest's use of a page. */
    private enum Use {
        USED,
        /** On a free list of the guest. */
        FREE,
        /** Used by the allocator itself. */
        RECORD,
        /** Reserved for hinting; the guest may take it back at any time. */
        HINTED,
        /** A device of the VMM writes it, and the log already has that. */
        FILLING,
        INFLATING,
        INFLATED,
        DEFLATING,
        REPORTING,
        UNPLUGGING,
        UNPLUGGED,
        PLUGGING
    }

    /** A queue between the driver and the device. */
    private static final class Ring {
        private int[] entries = new int[16];
        private int from;
        private int to;

        void put(int entry) {
            if (to == entries.length) {
                if (from > 0) {
                    System.arraycopy(entries, from, entries, 0, to - from);
                    to -= from;
                    from = 0;
                } else {
                    entries = Arrays.copyOf(entries, 2 * to);
                }
            }
            entries[to++] = entry;
        }

        boolean isEmpty() {
            return from == to;
        }

        int take() {
            return entries[from++];
        }

        void clear() {
            from = to;
        }
    }

    final int pages;
    final long[] memory;
    final boolean[] hole;
    /** Whether the content of a page is needed. */
    final boolean[] matters;
    /** Written pages, in two logs. */
    final long[][] logs;

    private final Chance chance;
    private final Mutant mutant;
    private final boolean liar;
    /** The guest clears what it reports, and relies on the zeros afterwards (Linux with init_on_free). */
    private final boolean clears;
    /** Devices of the VMM write pages that were pinned and logged before. */
    final boolean direct;
    /** The guest rarely uses memory: hinted pages stay unchanged for long. */
    private final boolean rests;
    /** False if each write has a unique value. */
    private final boolean valuesComeAgain;

    private final Use[] uses;
    private final boolean[] untold;
    /** Deferred slices of replays. */
    private final Queue<Runnable> slices = new ArrayDeque<>();

    private final PageFeed feed = new PageFeed(slices::add);
    private final Ring hints = new Ring();
    private final Ring inflations = new Ring();
    private final Ring deflations = new Ring();
    private final Ring reports = new Ring();
    private final Ring blocks = new Ring();
    /** Messages that a broken device sends later. */
    private final Ring late = new Ring();

    boolean paused;
    int throttle;
    private int activity;
    private long values = 1;
    /** The device's command id, and the id that the driver has read; STOP if none. */
    private int commandId;

    private int driversId;
    private int answeredId;
    /** Hints are requested as free page bitmaps. */
    private final boolean bitmaps;
    /** The request that the driver answers, or STOP; and the page that it examines next. */
    private int answering;

    private int looksAt;
    private final Ring free = new Ring();
    private boolean requested;
    private boolean running;
    private boolean beginWanted;
    private boolean endWanted;

    /** Keeps readable records of free pages, if there is one. */
    final @Nullable Allocator allocator;

    @Nullable
    StringBuilder trace;

    World(Chance chance, Mutant mutant, boolean valuesComeAgain) {
        this.chance = chance;
        this.mutant = mutant;
        this.valuesComeAgain = valuesComeAgain;
        this.rests = chance.oneIn(4);
        this.liar = chance.oneIn(3);
        this.clears = chance.oneIn(3);
        this.direct = chance.oneIn(3);
        int given = chance.oneIn(24) ? 60 + chance.below(80) : 2 + chance.below(10);
        boolean tells = Mutant.OF_DESCRIPTORS.contains(mutant) || chance.oneIn(3);
        this.pages = tells ? Allocator.pagesFor(given) : given;
        this.memory = new long[pages * WORDS_IN_PAGE];
        this.hole = new boolean[pages];
        this.matters = new boolean[pages];
        this.uses = new Use[pages];
        this.untold = new boolean[pages];
        this.logs = new long[2][(pages + 63) / 64];
        this.activity = 1 + chance.below(4);
        for (int p = 0; p < pages; p++) {
            uses[p] = p < given ? Use.USED : Use.RECORD;
            hole[p] = chance.oneIn(3);
            matters[p] = true;
            if (!hole[p]) {
                fill(p, newValue());
            }
        }
        if (chance.oneIn(3)) {
            for (int p = 0; p < given; p += 1 + chance.below(4)) {
                uses[p] = Use.INFLATED;
                matters[p] = false;
            }
        }
        bitmaps = tells && chance.oneIn(2);
        allocator = tells ? new Allocator(this, chance, mutant, given) : null;
        feed.add(Replay::new);
    }

    long get(int page, int word) {
        return memory[page * WORDS_IN_PAGE + word];
    }

    /** The guest writes a word. */
    void set(int page, int word, long value) {
        hole[page] = false;
        memory[page * WORDS_IN_PAGE + word] = value;
        say("record", page);
        tell(page);
    }

    boolean isFree(int page) {
        return uses[page] == Use.FREE;
    }

    /** The guest does not need these pages any more. Returns false if some are not simply in use. */
    boolean giveUp(int first, int count) {
        for (int p = first; p < first + count; p++) {
            if (uses[p] != Use.USED) {
                return false;
            }
        }
        for (int p = first; p < first + count; p++) {
            uses[p] = Use.FREE;
            matters[p] = false;
            say("free", p);
        }
        return true;
    }

    /** The guest gets pages that were free. Their content does not matter to it. */
    void take(int first, int count) {
        for (int p = first; p < first + count; p++) {
            uses[p] = Use.USED;
            say("take", p);
        }
    }

    /** A few pages in each slice, so that much happens in between. */
    private final class Replay implements StateReplay {
        private int page;

        @Override
        public boolean next(PageFeed.Listener listener) {
            for (int end = Math.min(page + 3, pages); page < end; page++) {
                switch (uses[page]) {
                    case INFLATED, DEFLATING -> listener.pages(Kind.INFLATED, 0, page * PAGE, PAGE);
                    case UNPLUGGED, PLUGGING -> listener.pages(Kind.UNPLUGGED, 0, page * PAGE, PAGE);
                    default -> {}
                }
            }
            return page < pages;
        }
    }

    PageSubscription subscribe(Set<Kind> kinds) {
        return feed.subscribe(kinds.isEmpty() ? EnumSet.allOf(Kind.class) : kinds, 1 << chance.below(7));
    }

    private void say(String what, int page) {
        if (trace != null) {
            trace.append(what).append(' ').append(page).append('\n');
        }
    }

    /** Does some actions, or none; at times many. */
    void step() {
        Runnable slice = slices.poll();
        if (slice != null) {
            slice.run();
        }
        int things = chance.oneIn(64) ? chance.below(40) : chance.below(activity + 1);
        for (int i = 0; i < things; i++) {
            happen();
        }
    }

    private void happen() {
        int what = chance.below(16);
        if (paused && what < 9) {
            return;
        }
        if (allocator != null && what < 9 && chance.oneIn(3)) {
            allocator.step();
            return;
        }
        boolean uses = what == 0 || what == 1 || what == TAKES_BACK;
        if (rests && uses && !chance.oneIn(8)) {
            return;
        }
        int page = chance.below(pages);
        switch (what) {
            case 0 -> write(page);
            case 1 -> {
                if (direct && chance.oneIn(2)) {
                    beginToFill(page);
                } else {
                    write(page);
                }
            }
            case 2, 3, 4 -> {
                if (bitmaps) {
                    answerWithBitmap();
                } else if (what == 2) {
                    driverReadsConfig();
                } else {
                    hint(page);
                }
            }
            case TAKES_BACK -> takeBack(page);
            case 6 -> putIntoBalloon(page);
            case 7 -> takeOutOfBalloon(page);
            case 8 -> plugOrReport(page);
            case 9, 10 -> deviceServesHints();
            case 11 -> deviceServesBalloon();
            case 12 -> deviceServesBlocksAndReports();
            case 13 -> operatorAsks();
            case 14 -> rarely(page);
            default -> publishWrites();
        }
    }

    private long newValue() {
        if (chance.oneIn(8)) {
            return 0;
        }
        return valuesComeAgain ? 1 + chance.below(2) : values++;
    }

    private void fill(int page, long value) {
        for (int i = 0; i < WORDS_IN_PAGE; i++) {
            memory[page * WORDS_IN_PAGE + i] = value;
        }
    }

    private void write(int page) {
        if (uses[page] == Use.USED || uses[page] == Use.HINTED) {
            // Taken back from hinting, if it was hinted.
            uses[page] = Use.USED;
            write(page, newValue());
        }
    }

    private void write(int page, long value) {
        hole[page] = false;
        fill(page, value);
        matters[page] = true;
        say("write", page);
        tell(page);
    }

    private void tell(int page) {
        if (chance.oneIn(3)) {
            untold[page] = true;
        } else {
            log(page);
        }
    }

    private void log(int page) {
        logs[chance.below(2)][page / 64] |= 1L << page;
    }

    private void publishWrites() {
        for (int p = 0; p < pages; p++) {
            if (untold[p]) {
                untold[p] = false;
                log(p);
            }
        }
    }

    private void driverReadsConfig() {
        int shown = requested || running ? commandId : STOP;
        if (shown == driversId) {
            return;
        }
        driversId = shown;
        hints.put(~shown);
        say("driver reads id", shown);
    }

    /**
     * The driver reads a page's record under the lock. Much later the chunk with its bit goes into the queue
     * (FPB-BIT-1, FPB-BIT-2).
     */
    private void answerWithBitmap() {
        int shown = requested || running ? commandId : STOP;
        if (answering == STOP || answering != shown && chance.oneIn(4)) {
            answering = shown;
            looksAt = 0;
            free.clear();
            if (shown != STOP) {
                hints.put(~shown);
                say("driver begins to answer", shown);
            }
            return;
        }
        if (looksAt < pages) {
            boolean lies = liar && (uses[looksAt] == Use.USED || uses[looksAt] == Use.HINTED) && chance.oneIn(2);
            if (lies) {
                matters[looksAt] = false;
            }
            if (lies || isFree(looksAt)) {
                free.put(looksAt);
                say("bit", looksAt);
            }
            looksAt++;
        }
        if (looksAt == pages || chance.oneIn(4)) {
            while (!free.isEmpty()) {
                hints.put(free.take());
            }
        }
        if (looksAt == pages) {
            hints.put(~STOP);
            answering = STOP;
            say("driver has answered", shown);
        }
    }

    private void hint(int page) {
        if (driversId == STOP || uses[page] != Use.USED && uses[page] != Use.HINTED) {
            return;
        }
        if (!liar || chance.oneIn(2)) {
            uses[page] = Use.HINTED;
        }
        matters[page] = false;
        hints.put(page);
        say("hint", page);
    }

    private void takeBack(int page) {
        if (uses[page] == Use.HINTED) {
            uses[page] = Use.USED;
        }
    }

    private void putIntoBalloon(int page) {
        if (uses[page] == Use.USED) {
            uses[page] = Use.INFLATING;
            matters[page] = false;
            inflations.put(page);
            say("inflate", page);
        }
    }

    private void takeOutOfBalloon(int page) {
        if (uses[page] != Use.INFLATED) {
            return;
        }
        if (mutant == Mutant.NOT_TOLD_OF_DEFLATION) {
            uses[page] = Use.USED;
            return;
        }
        uses[page] = Use.DEFLATING;
        deflations.put(page);
        say("deflate", page);
    }

    private void plugOrReport(int page) {
        if (chance.oneIn(2)) {
            if (uses[page] == Use.USED) {
                if (clears) {
                    write(page, 0);
                } else {
                    matters[page] = false;
                }
                uses[page] = Use.REPORTING;
                reports.put(page);
                say("report", page);
            }
            return;
        }
        int first = page / BLOCK * BLOCK;
        int end = Math.min(pages, first + BLOCK);
        Use use = uses[first];
        if (use != Use.USED && use != Use.UNPLUGGED) {
            return;
        }
        for (int p = first; p < end; p++) {
            if (uses[p] != use) {
                return;
            }
        }
        for (int p = first; p < end; p++) {
            uses[p] = use == Use.USED ? Use.UNPLUGGING : Use.PLUGGING;
            matters[p] = false;
        }
        blocks.put(first);
        say(use == Use.USED ? "unplug" : "plug", first);
    }

    private void deviceServesHints() {
        if (hints.isEmpty()) {
            return;
        }
        int entry = hints.take();
        if (entry >= 0) {
            if (running && answeredId == commandId) {
                feed.offer(Kind.HINTED, commandId, entry * PAGE, PAGE);
                say("device hints", entry);
            }
            return;
        }
        answeredId = ~entry;
        if (answeredId == STOP) {
            if (running) {
                endSession();
            }
        } else if (answeredId == commandId && requested) {
            requested = false;
            running = true;
            if (mutant == Mutant.BEGINS_WITH_THE_ANSWER) {
                feed.offer(Kind.HINTING_STARTED, commandId, 0, 0);
            }
        }
    }

    private void beginSession() {
        endSession();
        commandId++;
        requested = true;
        if (mutant != Mutant.BEGINS_WITH_THE_ANSWER) {
            feed.offer(Kind.HINTING_STARTED, commandId, 0, 0);
        }
        say("device issues id", commandId);
    }

    private void endSession() {
        if (requested || running) {
            feed.offer(Kind.HINTING_ENDED, commandId, 0, 0);
            requested = false;
            running = false;
            say("device ends", commandId);
        }
    }

    private void deviceServesBalloon() {
        if (chance.oneIn(2)) {
            if (!inflations.isEmpty()) {
                int page = inflations.take();
                if (chance.oneIn(2)) {
                    punch(page);
                }
                feed.offer(Kind.INFLATED, 0, page * PAGE, PAGE);
                uses[page] = Use.INFLATED;
                say("device inflates", page);
            }
        } else if (!deflations.isEmpty()) {
            int page = deflations.take();
            if (mutant == Mutant.DEFLATION_TOLD_LATE) {
                late.put(page);
            } else {
                feed.offer(Kind.DEFLATED, 0, page * PAGE, PAGE);
            }
            uses[page] = Use.USED;
            say("device deflates", page);
        }
    }

    private void deviceServesBlocksAndReports() {
        if (chance.oneIn(2)) {
            if (!reports.isEmpty()) {
                int page = reports.take();
                punch(page);
                feed.offer(Kind.REPORTED, 0, page * PAGE, PAGE);
                uses[page] = Use.USED;
                say("device discards", page);
            }
            return;
        }
        if (blocks.isEmpty()) {
            return;
        }
        int first = blocks.take();
        int count = Math.min(pages - first, BLOCK);
        boolean plug = uses[first] == Use.PLUGGING;
        for (int p = first; p < first + count; p++) {
            if (!plug && chance.below(4) > 0) {
                punch(p);
            }
            uses[p] = plug ? Use.USED : Use.UNPLUGGED;
        }
        if (plug && mutant == Mutant.PLUG_TOLD_LATE) {
            late.put(~first);
        } else {
            feed.offer(plug ? Kind.PLUGGED : Kind.UNPLUGGED, 0, first * PAGE, count * PAGE);
        }
        say(plug ? "device plugs" : "device unplugs", first);
    }

    private void punch(int page) {
        hole[page] = true;
        fill(page, 0);
    }

    private void operatorAsks() {
        if (beginWanted) {
            beginWanted = false;
            beginSession();
        } else if (endWanted || chance.oneIn(8)) {
            endWanted = false;
            endSession();
        } else if (chance.oneIn(6)) {
            beginSession();
        }
        if (!late.isEmpty()) {
            int entry = late.take();
            feed.offer(
                    entry < 0 ? Kind.PLUGGED : Kind.DEFLATED,
                    0,
                    (entry < 0 ? ~entry : entry) * PAGE,
                    entry < 0 ? BLOCK * PAGE : PAGE);
        }
    }

    private void rarely(int page) {
        switch (chance.below(8)) {
            // A hint of no present session, which has no meaning: its session never began, or has ended.
            case 0 -> feed.offer(Kind.HINTED, commandId + 1, page * PAGE, PAGE);
            case 1 -> {
                if (!requested && !running && commandId > 0) {
                    feed.offer(Kind.HINTED, commandId, page * PAGE, PAGE);
                    say("stale hint", page);
                }
            }
            case 2 -> resetBalloon();
            case 3 -> endFilling();
            default -> {}
        }
    }

    /** The page is present and logged before its new content arrives. */
    private void beginToFill(int page) {
        if (uses[page] == Use.USED || uses[page] == Use.HINTED) {
            uses[page] = Use.FILLING;
            hole[page] = false;
            matters[page] = true;
            log(page);
            say("begin to fill", page);
        }
    }

    private void endFilling() {
        for (int p = 0; p < pages; p++) {
            if (uses[p] == Use.FILLING) {
                uses[p] = Use.USED;
                fill(p, newValue());
                say("filled", p);
            }
        }
    }

    /** The guest boots again, or loads its driver again. */
    private void resetBalloon() {
        if (paused) {
            return;
        }
        feed.offer(Kind.RESET, 0, 0, 0);
        inflations.clear();
        deflations.clear();
        for (int p = 0; p < pages; p++) {
            if (uses[p] == Use.INFLATING || uses[p] == Use.INFLATED || uses[p] == Use.DEFLATING) {
                uses[p] = Use.USED;
            }
        }
        say("reset", 0);
    }

    void wantHints(boolean wanted) {
        beginWanted |= wanted;
        endWanted = !wanted;
    }

    void pause() {
        publishWrites();
        endFilling();
        paused = true;
        say("pause", 0);
    }

    void resume() {
        paused = false;
        say("resume", 0);
    }
}
