package org.exomem.balloon;

import java.util.List;

/**
 * What a driver has answered to the last request for a free page bitmap.
 *
 * @param state of the request
 * @param id of the request; 0 before the first
 * @param bytes of guest memory that the driver told to be free, each page counted once
 * @param chunks that answered the request
 * @param ignoredChunks chunks since the device was made that did not count: malformed ones, and such as answered no request that
 *     was open, and page descriptors that do not count
 * @param nanos from the request until the last chunk, or until now
 * @param deviceNanos of those, what the device took to read the chunks
 * @param blockBytes of the free bytes, those in aligned blocks of 4096 bytes, 8192, and so on, as large as possible, up to 4 MiB:
 *     element n is for blocks of 4096 × 2^n bytes. Empty until the answer has ended
 * @param describedBytes of guest memory, those of whose pages the driver has told the descriptors (FPB-DESC-1); as the driver says it,
 *     and 0 while its queue does not run. Whatever was asked
 */
public record BitmapAnswer(
        BitmapState state,
        int id,
        long bytes,
        long chunks,
        long ignoredChunks,
        long nanos,
        long deviceNanos,
        List<Long> blockBytes,
        long describedBytes) {}
