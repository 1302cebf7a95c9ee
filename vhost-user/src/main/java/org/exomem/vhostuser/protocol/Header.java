package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * The header of every message (vhost-user, "Header"), in the byte order of the machine (VHU-HDR-1).
 *
 * <pre>
 * 0 request   u32
 * 4 flags     u32   bits 0-1 version (1), bit 2 reply, bit 3 need_reply
 * 8 size      u32   bytes of payload that follow
 * </pre>
 *
 * @param request the request's number
 * @param flags as on the wire
 * @param size of the payload in bytes, 0 to {@link #MAX_PAYLOAD}
 */
public record Header(int request, int flags, int size) {
    /** The size in bytes. */
    public static final int SIZE = 12;
    /** The largest payload of any message: SET_CONFIG with 256 bytes, and some reserve. */
    public static final int MAX_PAYLOAD = 4096;
    /** The flags of a reply (VHU-HDR-3). */
    public static final int REPLY_FLAGS = 0x5;

    private static final int REQUEST_OFFSET = 0;
    private static final int FLAGS_OFFSET = 4;
    private static final int SIZE_OFFSET = 8;
    private static final int VERSION = 1;
    private static final int VERSION_MASK = 3;
    private static final int REPLY = 4;
    private static final int NEED_REPLY = 8;

    /**
     * Reads and checks the header of a request. After a bad header the position of the next message is unknown, so that
     * nothing can be answered.
     *
     * @param bytes native memory, at least {@link #SIZE} bytes
     * @throws FrontEndFault if the version is not 1 (VHU-HDR-2), the message is a reply (VHU-HDR-4), or the payload is too
     *     large (VHU-HDR-5)
     */
    public static Header decode(MemorySegment bytes) {
        int request = bytes.get(JAVA_INT, REQUEST_OFFSET);
        int flags = bytes.get(JAVA_INT, FLAGS_OFFSET);
        int size = bytes.get(JAVA_INT, SIZE_OFFSET);
        if ((flags & VERSION_MASK) != VERSION) {
            throw new FrontEndFault("request " + request + " has version " + (flags & VERSION_MASK)
                    + " in its flags; this back-end supports version " + VERSION + " of vhost-user");
        }
        if ((flags & REPLY) != 0) {
            throw new FrontEndFault("request " + request + " is marked as a reply, but no reply is expected");
        }
        if (Integer.compareUnsigned(size, MAX_PAYLOAD) > 0) {
            throw new FrontEndFault("request " + request + " announces " + Integer.toUnsignedString(size)
                    + " bytes of payload; the limit is " + MAX_PAYLOAD);
        }
        return new Header(request, flags, size);
    }

    /** Writes the header to the first {@link #SIZE} bytes. */
    public void encode(MemorySegment bytes) {
        bytes.set(JAVA_INT, REQUEST_OFFSET, request);
        bytes.set(JAVA_INT, FLAGS_OFFSET, flags);
        bytes.set(JAVA_INT, SIZE_OFFSET, size);
    }

    /** True if the front-end requests an answer even if the request has no reply of its own (VHU-MSG-2). */
    public boolean needsReply() {
        return (flags & NEED_REPLY) != 0;
    }
}
