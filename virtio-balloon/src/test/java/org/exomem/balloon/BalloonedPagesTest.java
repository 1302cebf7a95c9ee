package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import org.exomem.vhostuser.memory.PageFeed;
import org.junit.jupiter.api.Test;

class BalloonedPagesTest {
    private final BalloonedPages pages = new BalloonedPages(new PageFeed(16));

    private void pauseAt(int position) {
        pages.inflateQueueStopped(position);
        pages.noQueueRuns();
    }

    @Test
    void aQueueThatGoesOnAtItsInitialPositionMayBeANewOneAndCountsAsThat() {
        pages.inflateQueueStarted(0, true);
        pages.putIn(5, 10);
        pauseAt(0);

        assertThat(pages.inflateQueueStarted(0, true)).isFalse();
        assertThat(pages.count()).isZero();
    }

    @Test
    void aQueueThatGoesOnWhereItStoppedIsTheSame() {
        pages.inflateQueueStarted(0, true);
        pages.putIn(5, 10);
        pauseAt(7);

        assertThat(pages.inflateQueueStarted(7, false)).isTrue();
        assertThat(pages.count()).isEqualTo(10);
    }

    @Test
    void aQueueInMidLifeThatWasNeverSeenIsNew() {
        assertThat(pages.inflateQueueStarted(0, true)).isFalse();
        assertThat(new BalloonedPages(new PageFeed(16)).inflateQueueStarted(9, false))
                .isFalse();
    }
}
