package org.exomem.balloon;

import java.util.List;

/**
 * The driver's answer to the last request for a free page bitmap.
 *
 * @param state of the request
 * @param id of the request; 0 before the first
 * @param bytes of guest memory that the driver said are free, each page counted once
 * @param chunks that answered the request
 * @param ignoredChunks messages since the device was made that did not count: malformed chunks, chunks that answered no open
 *     request, and page descriptors that do not count
 * @param nanos from the request until the last chunk, or until now; in ns
 * @param deviceNanos of those, the ns in which the device read the chunks
 * @param blockBytes of the free bytes, those in aligned blocks of 4096 bytes, 8192, and so on, as large as possible, up to 4
 *     MiB: element n is for blocks of 4096 × 2^n bytes. Empty until the answer has ended
 * @param describedBytes of guest memory whose page descriptors the driver has sent, as the driver says (FPB-DESC-1); 0 while
 *     its queue does not run. Independent of any request
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
