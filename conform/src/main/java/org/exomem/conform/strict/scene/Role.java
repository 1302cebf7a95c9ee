package org.exomem.conform.strict.scene;

/** What a queue is for. */
public enum Role {
    INFLATE,
    DEFLATE,
    STATISTICS,
    FREE_PAGES,
    REPORTING,
    /** The queue of a memory device. */
    REQUESTS,
    /** No queue of the device. */
    NONE
}
