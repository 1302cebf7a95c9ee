package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/** The messages in which a device asks for free pages, and a driver answers. */
sealed interface BitmapFormat permits ChunkFormat, RfcFormat {
    /** The bytes of the longest request. */
    int MOST_REQUEST = 4096;

    /** The fewest device-writable bytes of a buffer for requests. */
    int leastRequest();

    /**
     * Writes a request.
     *
     * @param message of {@link #MOST_REQUEST} bytes
     * @param room the bytes that the driver's buffer has, {@link #leastRequest} at least
     * @return the bytes of the request, {@code room} at the most
     */
    int writeRequest(MemorySegment message, int room, int id, BitmapRequest request);

    /**
     * Takes the header of a message with something to read.
     *
     * @param openId the id of the request that is open, 0 if none is
     * @return what it is; only {@code chunk} is filled
     */
    BitmapMessage begin(DescriptorChain chain, BitmapChunk chunk, int openId);

    /** True if the device-writable part of an answer is where the next request goes: the buffer is kept until then. */
    boolean answersAreRequestBuffers();

    /** True if the device-writable part of an answer is for the id of the request that is wanted (FPB-REQ-3). */
    boolean tellsWanted();
}
