package org.exomem.balloon;

/**
 * How far a request for a free page bitmap is (spec/free-page-bitmap.md).
 *
 * <pre>
 *            ask                 driver's first chunk            chunk with LAST
 *   IDLE ----------> REQUESTED -----------------------> ANSWERING ---------------> COMPLETE or INCOMPLETE
 *                       |                                  |
 *                       +-- cancel, reset, queue stops ----+---> CANCELLED
 * </pre>
 *
 * Asking from any state begins a new request under a new id (FPB-REQ-3).
 */
public enum BitmapState {
    /** Nothing was asked for. */
    IDLE,
    /** A request waits for the driver's buffer, or is with the driver. */
    REQUESTED,
    /** Chunks come. */
    ANSWERING,
    /** The driver has looked at all that it was asked for. */
    COMPLETE,
    /** The driver ended its answer before it had looked at all. What it told is true. */
    INCOMPLETE,
    /** Ended from this side, or with its driver. What was told by then is true. */
    CANCELLED;

    /** True while chunks count. */
    boolean isOpen() {
        return this == REQUESTED || this == ANSWERING;
    }
}
