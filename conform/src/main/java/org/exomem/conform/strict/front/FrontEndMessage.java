package org.exomem.conform.strict.front;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.conform.wire.MessageText;
import org.exomem.conformance.frontend.Connection;
import org.exomem.linux.Fd;

/**
 * A request of a front-end, as it came. Who handles it closes the descriptors that nobody keeps.
 *
 * @param flags all 32 bits
 * @param size what the header says of the payload's size, in bytes
 * @param fds all that came along
 * @param late how many of them did not come with the first byte of the header
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record FrontEndMessage(int request, int flags, int size, byte[] payload, List<Fd> fds, int late) {
    public boolean needsReply() {
        return (flags & Connection.NEED_REPLY) != 0;
    }

    /** True if it is the request of that number. */
    public boolean is(int number) {
        return request == number;
    }

    /** True if the payload has a field of four bytes there. */
    public boolean hasInt(int offset) {
        return payload.length >= offset + Integer.BYTES;
    }

    /** True if the payload has a field of eight bytes there. */
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

    /** The name, with how much payload and how many descriptors came. */
    public String described() {
        return name() + " came with " + payload.length + " bytes of payload and " + fds.size() + " descriptors";
    }
}
