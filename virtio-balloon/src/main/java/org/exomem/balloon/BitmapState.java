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
    /** Nothing was requested. */
    IDLE,
    /** A request waits for the driver's buffer, or is with the driver. */
    REQUESTED,
    /** Chunks are arriving. */
    ANSWERING,
    /** The driver has examined all requested memory. */
    COMPLETE,
    /** The driver ended its answer before it had examined all memory. What it sent is valid. */
    INCOMPLETE,
    /** Ended by the device, or because the driver has left. What was sent until then is valid. */
    CANCELLED;

    /** True while chunks count. */
    boolean isOpen() {
        return this == REQUESTED || this == ANSWERING;
    }
}
