package org.exomem.balloon;

import org.jspecify.annotations.Nullable;

/**
 * What a queue is for (BAL-Q-1, BAL-Q-2). The optional queues are numbered densely after the first two, in the order of this enum, by the
 * features that are negotiated: without STATS_VQ the free page queue is queue 2. (VIRTIO, "Traditional Memory Balloon
 * Device", "Virtqueues" lists the numbers that result when all are there; drivers number as said here.)
 */
enum QueueRole {
    INFLATE(0),
    DEFLATE(0),
    STATISTICS(BalloonFeatures.STATS_VQ),
    FREE_PAGES(BalloonFeatures.FREE_PAGE_HINT),
    REPORTING(BalloonFeatures.PAGE_REPORTING),
    BITMAP(BalloonFeatures.FREE_PAGE_BITMAP);

    private static final QueueRole[] ALL = values();

    /** The feature without which the queue does not exist; 0 if it always does. */
    private final long feature;

    QueueRole(long feature) {
        this.feature = feature;
    }

    private boolean exists(long features) {
        return (features & feature) == feature;
    }

    /** The role of the queue with this index, or null if the negotiated features leave it none. */
    static @Nullable QueueRole of(int index, long features) {
        int next = 0;
        for (QueueRole role : ALL) {
            if (role.exists(features) && next++ == index) {
                return role;
            }
        }
        return null;
    }

    /** The number of queues that exist under the negotiated features. */
    static int count(long features) {
        int count = 0;
        for (QueueRole role : ALL) {
            count += role.exists(features) ? 1 : 0;
        }
        return count;
    }
}
