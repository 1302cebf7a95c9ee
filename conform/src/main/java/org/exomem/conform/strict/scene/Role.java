package org.exomem.conform.strict.scene;

/** The purpose of a queue. */
public enum Role {
    INFLATE,
    DEFLATE,
    STATISTICS,
    FREE_PAGES,
    REPORTING,
    /** The queue of a memory device. */
    REQUESTS,
    /** Not a queue of the device. */
    NONE
}
