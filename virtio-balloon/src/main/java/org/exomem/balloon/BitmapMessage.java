package org.exomem.balloon;

/** The kind of a message with device-readable bytes, from its header. */
enum BitmapMessage {
    /** It answers a request. */
    CHUNK,
    /** It has page descriptors; only its type was read. */
    DESCRIPTORS,
    /** It could not be understood (FPB-LIM-3). */
    MALFORMED
}
