package org.exomem.conform.strict.front;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.conform.wire.MessageText;
import org.exomem.conformance.frontend.Connection;
import org.exomem.linux.Fd;

/**
 * A request of a front-end, unchecked. The code that handles it closes the descriptors that are not kept.
 *
 * @param flags all 32 bits
 * @param size the payload's size in the header, in bytes
 * @param fds all descriptors that came with it
 * @param late how many of them did not come with the first byte of the header
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record FrontEndMessage(int request, int flags, int size, byte[] payload, List<Fd> fds, int late) {
    public boolean needsReply() {
        return (flags & Connection.NEED_REPLY) != 0;
    }

    /** True if this is the request with that number. */
    public boolean is(int number) {
        return request == number;
    }

    /** True if the payload has four bytes at the offset. */
    public boolean hasInt(int offset) {
        return payload.length >= offset + Integer.BYTES;
    }

    /** True if the payload has eight bytes at the offset. */
    public boolean hasLong(int offset) {
        return payload.length >= offset + Long.BYTES;
    }

    /** A field of the payload; 0 if the payload is too short for it. */
    public int intAt(int offset) {
        return hasInt(offset) ? buffer().getInt(offset) : 0;
    }

    /** A field of the payload, unsigned; 0 if the payload is too short for it. */
    public int shortAt(int offset) {
        return payload.length >= offset + Short.BYTES ? Short.toUnsignedInt(buffer().getShort(offset)) : 0;
    }

    /** A field of the payload; 0 if the payload is too short for it. */
    public long longAt(int offset) {
        return hasLong(offset) ? buffer().getLong(offset) : 0;
    }

    private ByteBuffer buffer() {
        return ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder());
    }

    /** The request's name. */
    public String name() {
        return MessageText.requestName(request);
    }

    /** The name, with the size of the payload and the number of descriptors. */
    public String described() {
        return name() + " has " + payload.length + " bytes of payload and " + fds.size() + " descriptors";
    }
}
