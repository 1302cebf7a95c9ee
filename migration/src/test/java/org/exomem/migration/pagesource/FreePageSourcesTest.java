package org.exomem.migration.pagesource;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.Fate;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.image.AddressMap.Range;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.StateReplay;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class FreePageSourcesTest {
    private static final long PAGE = 4096;
    private static final long PAGES = 64;
    private static final int SESSION = 0x80000000;

    private final PageFeed feed = new PageFeed();
    private final AddressMap map = new AddressMap(List.of(new Range(PAGE * 1000, PAGES * PAGE, 0)));

    private void offer(Kind kind, long first, long count) {
        feed.offer(kind, 0, (1000 + first) * PAGE, count * PAGE);
    }

    private void hint(int session, long first) {
        feed.offer(Kind.HINTED, session, (1000 + first) * PAGE, PAGE);
    }

    private void begin(int session) {
        feed.offer(Kind.HINTING_STARTED, session, 0, 0);
    }

    private static StateReplay state(Kind kind, long address, long length) {
        return listener -> {
            listener.pages(kind, 0, address, length);
            return false;
        };
    }

    private static String collect(FreePageSource source) throws IOException {
        PageBits free = new PageBits(PAGES);
        PageBits wanted = new PageBits(PAGES);
        wanted.addAll();
        source.collect(free, wanted);
        return free.toString();
    }

    private FeedSource hints(int capacity) {
        return new FeedSource(FreeReason.HINTED, feed.subscribe(FreeReason.HINTED.kinds(), capacity), map, PAGES);
    }

    @Test
    @Tag("MIG-HINT-3")
    void theEndOfAnotherSessionLeavesTheOneThatCounts() throws IOException {
        FeedSource source = hints(16);
        source.synced();
        begin(SESSION);
        begin(SESSION + 1);
        feed.offer(Kind.HINTING_ENDED, SESSION, 0, 0);
        hint(SESSION + 1, 3);
        assertThat(collect(source)).isEqualTo("3");
        assertThat(source.hintsHaveEnded()).isFalse();
    }

    @Test
    @Tag("MIG-ROUND-6")
    void theEndOfASessionIsKnownUntilTheNextSyncOrTheNextSession() throws IOException {
        FeedSource source = hints(16);
        source.synced();
        feed.offer(Kind.HINTING_ENDED, SESSION - 1, 0, 0);
        collect(source);
        assertThat(source.hintsHaveEnded()).as("of one that did not count").isFalse();
        begin(SESSION);
        hint(SESSION, 3);
        collect(source);
        assertThat(source.hintsHaveEnded()).isFalse();
        feed.offer(Kind.HINTING_ENDED, SESSION, 0, 0);
        collect(source);
        assertThat(source.hintsHaveEnded()).isTrue();
        begin(SESSION + 1);
        collect(source);
        assertThat(source.hintsHaveEnded()).isFalse();
        feed.offer(Kind.HINTING_ENDED, SESSION + 1, 0, 0);
        source.synced();
        assertThat(source.hintsHaveEnded()).isFalse();
    }

    @Test
    @Tag("MIG-HINT-2")
    @Tag("MIG-HINT-3")
    @Tag("MIG-HINT-4")
    void hintsCountIfTheirSessionBeganAfterTheSync() throws IOException {
        FeedSource source = hints(16);
        source.synced();
        begin(SESSION);
        hint(SESSION, 3);
        assertThat(collect(source)).isEqualTo("3");
        assertThat(collect(source)).as("told once").isEmpty();
        hint(SESSION, 4);
        source.synced();
        hint(SESSION, 5);
        assertThat(collect(source)).as("the session began before the sync").isEmpty();
        begin(SESSION + 1);
        hint(SESSION, 6);
        hint(SESSION + 1, 7);
        assertThat(collect(source)).isEqualTo("7");
        assertThat(source.fate()).isEqualTo(Fate.HINTED);
    }

    @Test
    @Tag("MIG-HINT-3")
    void hintsDoNotCountAfterTheEndOfTheirSession() throws IOException {
        FeedSource source = hints(16);
        source.synced();
        begin(SESSION);
        hint(SESSION, 3);
        feed.offer(Kind.HINTING_ENDED, SESSION, 0, 0);
        hint(SESSION, 4);
        assertThat(collect(source)).isEqualTo("3");
    }

    @Test
    void hintsOutsideTheImageAreIgnored() throws IOException {
        FeedSource source = hints(16);
        source.synced();
        begin(SESSION);
        feed.offer(Kind.HINTED, SESSION, 0, 999 * PAGE);
        feed.offer(Kind.HINTED, SESSION, -PAGE, Long.MAX_VALUE);
        feed.offer(Kind.HINTED, SESSION, 1000 * PAGE + 1, 2 * PAGE);
        feed.offer(Kind.HINTED, SESSION, 1063 * PAGE, Long.MAX_VALUE);
        assertThat(collect(source)).isEqualTo("1 63");
    }

    @Test
    @Tag("MIG-HINT-5")
    void lossOfAMessageForgetsAllHints() throws IOException {
        FeedSource source = hints(2);
        source.synced();
        begin(SESSION);
        hint(SESSION, 3);
        feed.offer(Kind.HINTING_ENDED, SESSION, 0, 0);
        hint(SESSION, 4);
        assertThat(collect(source)).isEmpty();
        begin(SESSION + 1);
        hint(SESSION + 1, 5);
        assertThat(collect(source)).isEqualTo("5");
    }

    @Test
    @Tag("MIG-STATE-5")
    void lossBeforeTheFirstLookCountsToo() throws IOException {
        feed.add(() -> state(Kind.INFLATED, 1000 * PAGE, 2 * PAGE));
        PageSubscription subscription = feed.subscribe(FreeReason.BALLOON.kinds(), 1);
        offer(Kind.DEFLATED, 1, 1);
        FeedSource source = new FeedSource(FreeReason.BALLOON, subscription, map, PAGES);
        source.synced();
        assertThat(collect(source)).isEmpty();
        offer(Kind.INFLATED, 3, 1);
        assertThat(collect(source)).as("from then on").isEqualTo("3");
    }

    @Test
    @Tag("MIG-STATE-1")
    @Tag("MIG-STATE-3")
    void pagesAreInTheBalloonUntilTheyAreTakenOut() throws IOException {
        feed.add(() -> state(Kind.INFLATED, 1000 * PAGE, 4 * PAGE));
        FeedSource source =
                new FeedSource(FreeReason.BALLOON, feed.subscribe(FreeReason.BALLOON.kinds(), 16), map, PAGES);
        source.synced();
        assertThat(collect(source)).isEqualTo("0-3");
        offer(Kind.INFLATED, 10, 2);
        feed.offer(Kind.DEFLATED, 0, 1001 * PAGE + 100, 1);
        assertThat(collect(source)).as("a part of a page is the page").isEqualTo("0 2-3 10-11");
        source.synced();
        assertThat(collect(source)).as("after each sync").isEqualTo("0 2-3 10-11");
        feed.offer(Kind.RESET, 0, 0, 0);
        source.synced();
        assertThat(collect(source)).isEmpty();
    }

    /** A search for the next hole after dense memory takes time proportional to the dense part. */
    @Test
    @Tag("MIG-HOLE-2")
    void fewPagesAreAskedForOneByOneAndManyInRuns() throws IOException {
        long pages = 1 << 16;
        try (SharedFile file = SharedFile.memfd("ram", pages * PAGE);
                Mapping memory = Mapping.of(file, 0, pages * PAGE);
                MemoryImage image = new MemoryImage(
                        List.of(new ImageFile("ram", new SharedFile(file.fd().duplicate()))))) {
            memory.segment().asSlice(100 * PAGE, 1000 * PAGE).fill((byte) 1);
            memory.segment().set(ValueLayout.JAVA_BYTE, (pages - 1) * PAGE, (byte) 1);
            HoleSource source = new HoleSource(image);
            PageBits wanted = new PageBits(pages);
            wanted.add(98, 4);
            wanted.add(1099, 2);
            wanted.add(pages - 2, 2);
            PageBits free = new PageBits(pages);
            source.synced();
            assertThat(source.collect(free, wanted)).isTrue();
            free.and(wanted);
            assertThat(free).hasToString("98-99 1100 " + (pages - 2));

            wanted.addAll();
            free.clear();
            assertThat(source.collect(free, wanted)).as("once after a sync").isFalse();
            source.synced();
            assertThat(source.collect(free, wanted)).isTrue();
            assertThat(free).hasToString("0-99 1100-" + (pages - 2));
        }
    }

    @Test
    @Tag("MIG-STATE-1")
    @Tag("MIG-STATE-3")
    void blocksStayUnpluggedWhenTheBalloonIsReset() throws IOException {
        FeedSource source =
                new FeedSource(FreeReason.UNPLUGGED, feed.subscribe(FreeReason.UNPLUGGED.kinds(), 16), map, PAGES);
        offer(Kind.UNPLUGGED, 0, 32);
        offer(Kind.PLUGGED, 8, 8);
        feed.offer(Kind.RESET, 0, 0, 0);
        source.synced();
        assertThat(collect(source)).isEqualTo("0-7 16-31");
    }
}
