package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.balloon.TestGuest.ALL_FEATURES;
import static org.exomem.balloon.TestGuest.INFLATE;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.exomem.balloon.TestGuest.News;
import org.exomem.linux.LinuxException;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The notifications of a listener that begins when there are pages in the balloon (spec/migration.md, MIG-STATE). */
class BalloonFeedTest {
    private static final long START = 1L << 32;
    private static final int PFN = (int) (START >> 12);

    private static List<News> told(TestGuest guest) {
        List<News> news = new ArrayList<>();
        try (PageSubscription late = guest.feed.subscribe(EnumSet.allOf(Kind.class), 16)) {
            late.drain((kind, session, address, length) -> news.add(new News(kind, session, address, length)));
        }
        return news;
    }

    private static TestGuest withPagesInTheBalloon(long features) throws LinuxException {
        TestGuest guest = new TestGuest();
        guest.start(features, 5);
        guest.ram.filled(START, 1 << 20);
        guest.inflate(TestGuest.range(PFN, 3));
        return guest;
    }

    @Test
    void whoBeginsToListenIsToldOfThePagesInTheBalloonAsLongAsItsDriverRuns() throws LinuxException {
        try (TestGuest guest = withPagesInTheBalloon(ALL_FEATURES)) {
            assertThat(told(guest)).containsExactly(new News(Kind.INFLATED, 0, START, 3 * 4096));
            int base = guest.stop(INFLATE, true);
            assertThat(told(guest)).as("the guest may boot now").isEmpty();
            guest.start(INFLATE, base);
            assertThat(told(guest)).hasSize(1);
        }
    }

    @Test
    @Tag("BAL-FEAT-2")
    void nobodyIsToldOfPagesThatADriverMayUseAgainWithoutAWord() throws LinuxException {
        try (TestGuest guest = withPagesInTheBalloon(ALL_FEATURES & ~BalloonFeatures.MUST_TELL_HOST)) {
            assertThat(guest.balloon.pagesInBalloon()).isEqualTo(3);
            assertThat(told(guest)).isEmpty();
            assertThat(guest.news()).isEmpty();
        }
    }
}
