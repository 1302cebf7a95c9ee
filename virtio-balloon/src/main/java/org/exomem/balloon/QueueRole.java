package org.exomem.balloon;

import org.jspecify.annotations.Nullable;

/**
 * The purpose of a queue (BAL-Q-1, BAL-Q-2). The negotiated optional queues are numbered without gaps after the first two,
 * in the order of this enum. Without STATS_VQ, for example, the free page queue is queue 2. (VIRTIO, "Traditional Memory
 * Balloon Device", "Virtqueues" lists the numbers when all queues are there; drivers number them as described here.)
 */
enum QueueRole {
    INFLATE(0),
    DEFLATE(0),
    STATISTICS(BalloonFeatures.STATS_VQ),
    FREE_PAGES(BalloonFeatures.FREE_PAGE_HINT),
    REPORTING(BalloonFeatures.PAGE_REPORTING),
    BITMAP(BalloonFeatures.FREE_PAGE_BITMAP);

    private static final QueueRole[] ALL = values();

    /** The feature that the queue requires; 0 if the queue always exists. */
    private final long feature;

    QueueRole(long feature) {
        this.feature = feature;
    }

    private boolean exists(long features) {
        return (features & feature) == feature;
    }

    /** The role of the queue with this index; null if the negotiated features give it none. */
    static @Nullable QueueRole of(int index, long features) {
        int next = 0;
        for (QueueRole role : ALL) {
            if (role.exists(features) && next++ == index) {
                return role;
            }
        }
        return null;
    }

    /** The number of queues under the negotiated features. */
    static int count(long features) {
        int count = 0;
        for (QueueRole role : ALL) {
            count += role.exists(features) ? 1 : 0;
        }
        return count;
    }
}
