package org.exomem.backend.pages;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.pages.FreePageRules;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.Pages;
import org.exomem.pages.StateReplay;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The meaning of a bit, message by message (spec/pages.md). */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class BitmapPagesTest {
    private static final int PAGES = 200;
    private static final int SESSION = 0x80000001;

    private final PageFeed feed = new PageFeed();
    private PageBitmap bitmap;
    private Mapping mapping;

    @BeforeEach
    void make() throws LinuxException {
        bitmap = PageBitmap.of(PAGES);
        try (SharedFile file = new SharedFile(bitmap.fd().duplicate())) {
            mapping = Mapping.of(file, 0, file.size());
        }
    }

    @AfterEach
    void close() {
        mapping.close();
        bitmap.close();
    }

    private FreePageRules rules(int capacity) {
        return new FreePageRules(feed.subscribe(FreePageRules.KINDS, capacity), new BitmapPages(bitmap));
    }

    private void offer(Kind kind, long page, long pages) {
        feed.offer(kind, kind == Kind.HINTED ? SESSION : 0, page << 12, pages << 12);
    }

    private void begin(int session) {
        feed.offer(Kind.HINTING_STARTED, session, 0, 0);
    }

    private BitSet free() {
        return BitSet.valueOf(mapping.segment().asSlice(4096).asByteBuffer());
    }

    private static BitSet pages(int from, int to) {
        BitSet pages = new BitSet();
        pages.set(from, to);
        return pages;
    }

    @Test
    @Tag("PAG-BIT-2")
    @Tag("MIG-HINT-2")
    @Tag("MIG-HINT-3")
    @Tag("MIG-HINT-4")
    void hintCountsWhileItsSessionDoesAndStaysUntilTheSync() {
        FreePageRules rules = rules(16);
        offer(Kind.HINTED, 0, 10);
        begin(SESSION);
        offer(Kind.HINTED, 20, 10);
        feed.offer(Kind.HINTED, SESSION - 1, 40 << 12, 1 << 12);
        feed.offer(Kind.HINTING_ENDED, SESSION, 0, 0);
        offer(Kind.HINTED, 60, 10);
        rules.take();
        assertThat(free()).isEqualTo(pages(20, 30));
        begin(SESSION + 1);
        rules.take();
        assertThat(free()).as("another session has begun").isEqualTo(pages(20, 30));
        rules.synced();
        assertThat(free().isEmpty()).isTrue();
        feed.offer(Kind.HINTED, SESSION + 1, 0, 1 << 12);
        rules.take();
        assertThat(free().isEmpty()).as("it began before the sync").isTrue();
    }

    @Test
    @Tag("PAG-BIT-1")
    void syncLeavesWhatIsInTheBalloonOrUnplugged() {
        FreePageRules rules = rules(16);
        begin(SESSION);
        offer(Kind.HINTED, 0, 100);
        offer(Kind.INFLATED, 10, 10);
        offer(Kind.UNPLUGGED, 50, 20);
        rules.take();
        rules.synced();
        BitSet both = pages(10, 20);
        both.or(pages(50, 70));
        assertThat(free()).isEqualTo(both);
        feed.offer(Kind.RESET, 0, 0, 0);
        rules.take();
        assertThat(free()).isEqualTo(pages(50, 70));
    }

    @Test
    @Tag("PAG-BIT-3")
    void usedPagesAreNotFreeAlsoIfTheyWereHinted() {
        FreePageRules rules = rules(16);
        begin(SESSION);
        offer(Kind.HINTED, 0, 50);
        offer(Kind.INFLATED, 50, 50);
        // A page that is used in part counts as used. A page counts as unused only as a whole.
        feed.offer(Kind.DEFLATED, 0, (10 << 12) + 1, 40 << 12);
        feed.offer(Kind.INFLATED, 0, (100 << 12) + 1, 2 << 12);
        offer(Kind.PLUGGED, 90, 10);
        rules.take();
        BitSet left = pages(0, 10);
        left.or(pages(51, 90));
        left.set(101);
        assertThat(free()).isEqualTo(left);
    }

    @Test
    void pagesBehindTheEndAreLeftOut() {
        FreePageRules rules = rules(16);
        offer(Kind.INFLATED, PAGES - 1, 1000);
        offer(Kind.UNPLUGGED, PAGES, 1000);
        offer(Kind.UNPLUGGED, 1L << 35, 1);
        rules.take();
        assertThat(free()).isEqualTo(pages(PAGES - 1, PAGES));
        offer(Kind.DEFLATED, PAGES - 1, 1L << 30);
        rules.take();
        assertThat(free().isEmpty()).isTrue();
    }

    @Test
    @Tag("PAG-BIT-7")
    void stateIsSetInPartsAndPagesNotToldYetAreNotFree() {
        Queue<Runnable> loop = new ArrayDeque<>();
        PageFeed sliced = new PageFeed(loop::add);
        sliced.add(() -> new StateReplay() {
            private int page;

            @Override
            public boolean next(PageFeed.Listener listener) {
                listener.pages(Kind.INFLATED, 0, Pages.bytes(page), Pages.bytes(10));
                page += 10;
                return page < 30;
            }
        });
        FreePageRules rules = new FreePageRules(sliced.subscribe(FreePageRules.KINDS, 16), new BitmapPages(bitmap));
        rules.take();
        assertThat(free()).isEqualTo(pages(0, 10));
        sliced.offer(Kind.DEFLATED, 0, 0, Pages.bytes(5));
        while (!loop.isEmpty()) {
            loop.remove().run();
        }
        rules.take();
        assertThat(free()).isEqualTo(pages(5, 30));
    }

    @Test
    @Tag("PAG-BIT-4")
    @Tag("MIG-HINT-5")
    @Tag("MIG-STATE-5")
    void lossOfAMessageClearsAllBits() {
        FreePageRules rules = rules(2);
        offer(Kind.INFLATED, 0, 10);
        rules.take();
        begin(SESSION);
        offer(Kind.HINTED, 20, 10);
        offer(Kind.DEFLATED, 0, 10);
        assertThat(rules.take()).isTrue();
        assertThat(free().isEmpty()).isTrue();
        offer(Kind.HINTED, 20, 10);
        rules.take();
        assertThat(free().isEmpty()).as("nor does its session count").isTrue();
        offer(Kind.INFLATED, 40, 1);
        rules.take();
        assertThat(free()).isEqualTo(pages(40, 41));
    }

    /** A queue that overflows all the time, while it is drained. */
    @Test
    @Tag("PAG-BIT-4")
    @Tag("MIG-STATE-5")
    void usedPagesAreNeverFreeHoweverMuchIsLost() throws Exception {
        long seed = 4711;
        Random chance = new Random(seed);
        PageSubscription messages = feed.subscribe(FreePageRules.KINDS, 4);
        FreePageRules rules = new FreePageRules(messages, new BitmapPages(bitmap));
        for (int round = 0; round < 3000; round++) {
            BitSet balloon = new BitSet();
            AtomicBoolean done = new AtomicBoolean();
            Thread devices = Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 200; i++) {
                    int page = chance.nextInt(8);
                    balloon.flip(page);
                    offer(balloon.get(page) ? Kind.INFLATED : Kind.DEFLATED, page, 1);
                }
                done.set(true);
            });
            while (!done.get()) {
                rules.take();
            }
            devices.join();
            rules.take();
            BitSet wrong = free();
            wrong.andNot(balloon);
            assertThat(wrong.isEmpty())
                    .as("round %d of seed %d: %s", round, seed, wrong)
                    .isTrue();
            // The next driver begins with an empty balloon.
            feed.offer(Kind.RESET, 0, 0, 0);
            rules.take();
        }
        assertThat(messages.losses()).isPositive();
    }
}
