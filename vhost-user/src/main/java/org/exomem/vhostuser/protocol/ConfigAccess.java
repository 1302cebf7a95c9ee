package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * An access to the config space (vhost-user, "Virtio device config space"; VHU-PAY-7); bytes.
 *
 * <pre>
 *  0 offset   u32
 *  4 size     u32
 *  8 flags    u32   0: the driver's access, 1: live migration
 * 12 data     size bytes
 * </pre>
 *
 * @param data for SET_CONFIG, the bytes to write; a part of the payload, valid until the message has been handled
 */
public record ConfigAccess(int offset, int size, int flags, MemorySegment data) {
    /** The largest config space that vhost-user can carry. */
    public static final int MAX_SPACE = 256;

    static final int HEADER_SIZE = 12;
    private static final int OFFSET_OFFSET = 0;
    private static final int SIZE_OFFSET = 4;
    private static final int FLAGS_OFFSET = 8;
    private static final int FOR_MIGRATION = 1;

    static ConfigAccess decode(RequestType type, MemorySegment payload) {
        if (payload.byteSize() < HEADER_SIZE) {
            throw new FrontEndFault(type + " has only " + payload.byteSize() + " bytes of payload");
        }
        int offset = payload.get(JAVA_INT, OFFSET_OFFSET);
        int size = payload.get(JAVA_INT, SIZE_OFFSET);
        int flags = payload.get(JAVA_INT, FLAGS_OFFSET);
        if (size < 1 || size > MAX_SPACE || offset < 0 || offset > MAX_SPACE - size) {
            throw new FrontEndFault(type + " of " + Integer.toUnsignedString(size) + " bytes at offset "
                    + Integer.toUnsignedString(offset) + "; the config space has at most " + MAX_SPACE);
        }
        if (payload.byteSize() != HEADER_SIZE + size) {
            throw new FrontEndFault(
                    type + " has " + payload.byteSize() + " bytes of payload instead of " + (HEADER_SIZE + size));
        }
        if ((flags & ~FOR_MIGRATION) != 0) {
            throw new FrontEndFault(type + " has unknown flags 0x" + Integer.toHexString(flags));
        }
        return new ConfigAccess(offset, size, flags, payload.asSlice(HEADER_SIZE, size));
    }

    /** The payload of the answer: the same access with the bytes read. */
    MemorySegment encode(MemorySegment read) {
        MemorySegment payload = Reply.allocate(HEADER_SIZE + size);
        payload.set(JAVA_INT, OFFSET_OFFSET, offset);
        payload.set(JAVA_INT, SIZE_OFFSET, size);
        payload.set(JAVA_INT, FLAGS_OFFSET, flags);
        MemorySegment.copy(read, 0, payload, HEADER_SIZE, size);
        return payload;
    }
}
