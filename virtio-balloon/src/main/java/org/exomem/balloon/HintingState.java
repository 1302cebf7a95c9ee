package org.exomem.balloon;

/**
 * The progress of a session of free page hinting (VIRTIO, "Free Page Hinting").
 *
 * <pre>
 *            start            driver sends the id          driver sends STOP, or stop
 *   IDLE ----------> REQUESTED ------------------> RUNNING ---------------------------> STOPPED
 *                       |                             |                                    |
 *                       +-------- finish -------------+------------------------------------+---> DONE
 * </pre>
 *
 * A start from any state begins a new session under a new command id.
 */
public enum HintingState {
    /** No session since the driver started. */
    IDLE,
    /** A command id is in the config space; the driver has not answered. */
    REQUESTED,
    /** The driver gives hints. */
    RUNNING,
    /** No more hints: the driver has sent all of them, or was told to stop. It keeps the pages it hinted. */
    STOPPED,
    /** The driver may use the hinted pages again. */
    DONE
}
