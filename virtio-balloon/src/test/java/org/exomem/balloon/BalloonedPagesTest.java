package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.DriverRun;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class BalloonedPagesTest {
    private static final int SIZE = 128;

    private final KeptBalloon kept = KeptBalloon.ofHeap();
    private BalloonedPages pages = new BalloonedPages(new PageFeed(), kept);

    private boolean start(int position, boolean initial) {
        boolean there = ((position - pages.position()) & 0xffff) <= pages.unnotedMoves(SIZE);
        DriverRun atThisPosition = initial ? DriverRun.UNKNOWN : DriverRun.GOES_ON;
        return pages.inflateQueueStarted(position, there ? atThisPosition : DriverRun.NEW);
    }

    private void takeOver() {
        pages = new BalloonedPages(new PageFeed(), kept);
    }

    private void pauseAt(int position) {
        pages.inflateQueueStopped(position, false);
        pages.noQueueRuns();
    }

    @Test
    @Tag("STA-BAL-3")
    void aQueueThatGoesOnAtItsInitialPositionMayBeANewOneAndCountsAsThat() {
        start(0, true);
        pages.putIn(5, 10);
        pauseAt(0);

        assertThat(start(0, true)).isFalse();
        assertThat(pages.count()).isZero();
    }

    @Test
    void aQueueThatGoesOnWhereItStoppedIsTheSame() {
        start(0, true);
        pages.putIn(5, 10);
        pauseAt(7);

        assertThat(start(7, false)).isTrue();
        assertThat(pages.count()).isEqualTo(10);
    }

    @Test
    void aQueueInMidLifeThatWasNeverSeenIsNew() {
        assertThat(start(0, true)).isFalse();
        pages = new BalloonedPages(new PageFeed(), KeptBalloon.ofHeap());
        assertThat(start(9, false)).isFalse();
    }

    @Test
    @Tag("STA-BAL-2")
    void theNextProcessKeepsThePagesOfADriverThatGoesOnAtMostAQueueFarther() {
        start(0, true);
        pages.putIn(5, 10);
        pages.inflateQueueMoved(40);
        takeOver();

        assertThat(pages.count()).as("before the driver is known").isZero();
        assertThat(start(40 + SIZE, false)).isTrue();
        assertThat(pages.count()).isEqualTo(10);
    }

    @Test
    @Tag("STA-BAL-2")
    void theNextProcessForgetsThePagesOfADriverThatIsElsewhere() {
        start(0, true);
        pages.putIn(5, 10);
        pages.inflateQueueMoved(40);
        takeOver();

        assertThat(start(41 + SIZE, false)).isFalse();
        assertThat(pages.count()).isZero();
    }

    @Test
    @Tag("STA-BAL-2")
    void theNextProcessForgetsThePagesWhenANewDriverStarts() {
        start(0, true);
        pages.putIn(5, 10);
        pages.inflateQueueMoved(0xfff0);
        takeOver();

        assertThat(start(0, true)).isFalse();
        takeOver();
        assertThat(start(1, false)).as("going on from there").isTrue();
        assertThat(pages.count()).isZero();
    }

    @Test
    @Tag("STA-BAL-4")
    void pagesThatWereBeingForgottenAreNobodys() {
        start(0, true);
        pages.putIn(5, 10);
        kept.position.forget();
        takeOver();

        assertThat(start(1, false)).isFalse();
        assertThat(pages.count()).isZero();
    }
}
