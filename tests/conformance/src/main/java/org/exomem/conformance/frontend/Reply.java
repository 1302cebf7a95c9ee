package org.exomem.conformance.frontend;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.linux.Fd;

/**
 * A message of the back-end. The owner of the record also owns the descriptors.
 *
 * @param request the request's number, also in a reply to it
 * @param flags all 32 bits: version, reply, need-reply
 * @param payload the bytes after the header
 * @param fds the descriptors that came with it
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record Reply(int request, int flags, byte[] payload, List<Fd> fds) {
    /** The only valid flags of a reply: version 1 and the reply bit (VHU-HDR-3). */
    public static final int REPLY_FLAGS = Connection.VERSION | Connection.REPLY;

    /** The payload as a buffer in the machine's byte order. */
    public ByteBuffer buffer() {
        return ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder());
    }

    /** The payload as one 64-bit number. */
    public long asLong() {
        if (payload.length != Long.BYTES) {
            throw new WrongAnswerException(
                    "request " + request + " was answered with " + payload.length + " bytes, not with 8");
        }
        return buffer().getLong();
    }
}
