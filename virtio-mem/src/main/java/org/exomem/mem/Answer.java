package org.exomem.mem;

/** The response types, in the order of their numbers (VIRTIO, "Memory Device", "Device Operation"). */
enum Answer {
    /** Done. */
    ACK,
    /** Not now, and not before the requested size changes. */
    NACK,
    /** Not now; the driver may try again. */
    BUSY,
    /** The request breaks a rule. */
    ERROR
}
