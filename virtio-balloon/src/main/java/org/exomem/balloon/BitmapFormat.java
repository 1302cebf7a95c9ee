package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/** The messages with which a device asks for free pages and a driver answers. */
sealed interface BitmapFormat permits ChunkFormat, RfcFormat {
    /** The size of the longest request in bytes. */
    int MOST_REQUEST = 4096;

    /** The smallest size of a buffer for requests, in device-writable bytes. */
    int leastRequest();

    /**
     * Writes a request.
     *
     * @param message of {@link #MOST_REQUEST} bytes
     * @param room the size of the driver's buffer in bytes, at least {@link #leastRequest}
     * @return the size of the request in bytes, at most {@code room}
     */
    int writeRequest(MemorySegment message, int room, int id, BitmapRequest request);

    /**
     * Reads the header of a message with device-readable bytes.
     *
     * @param openId the id of the open request; 0 if none is open
     * @return the kind of message; only {@code chunk} is filled
     */
    BitmapMessage begin(DescriptorChain chain, BitmapChunk chunk, int openId);

    /**
     * True if the device-writable part of an answer receives the next request. The buffer is then kept until that request.
     */
    boolean answersAreRequestBuffers();

    /** True if the device-writable part of an answer receives the id of the wanted request (FPB-REQ-3). */
    boolean tellsWanted();
}
