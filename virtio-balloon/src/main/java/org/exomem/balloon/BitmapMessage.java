package org.exomem.balloon;

/** What a buffer with something to read is, as its header tells. */
enum BitmapMessage {
    /** It answers a request. */
    CHUNK,
    /** It tells page descriptors; of it nothing but the type was looked at. */
    DESCRIPTORS,
    /** It is none that could be understood (FPB-LIM-3). */
    MALFORMED
}
