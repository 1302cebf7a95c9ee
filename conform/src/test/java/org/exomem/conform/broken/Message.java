package org.exomem.conform.broken;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Reply;
import org.exomem.linux.Fd;

/**
 * A vhost-user message on its way. Its holder owns the descriptors.
 *
 * @param size the payload's size in the header, in bytes
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Message(int request, int flags, int size, byte[] payload, List<Fd> fds) {
    /** A reply to a request, with only a payload. */
    static Message reply(int request, byte[] payload) {
        return new Message(request, Reply.REPLY_FLAGS, payload.length, payload, List.of());
    }

    /** A request that asks for no reply. */
    static Message request(int request, byte[] payload) {
        return request(request, payload, List.of());
    }

    static Message request(int request, byte[] payload, List<Fd> fds) {
        return new Message(request, Connection.VERSION, payload.length, payload, fds);
    }

    Message withFlags(int other) {
        return new Message(request, other, size, payload, fds);
    }

    Message withRequest(int other) {
        return new Message(other, flags, size, payload, fds);
    }

    /** The same with another, possibly wrong size in its header. */
    Message withSize(int other) {
        return new Message(request, flags, other, payload, fds);
    }

    Message withPayload(byte[] other) {
        return new Message(request, flags, other.length, other, fds);
    }

    Message withFds(List<Fd> others) {
        return new Message(request, flags, size, payload, others);
    }

    /** The same without descriptors, which are closed. */
    Message withoutFds() {
        close();
        return withFds(List.of());
    }

    boolean hasInt(int offset) {
        return payload.length >= offset + Integer.BYTES;
    }

    boolean hasLong(int offset) {
        return payload.length >= offset + Long.BYTES;
    }

    /** A field of the payload; 0 if the payload is too short for it. */
    int intAt(int offset) {
        return hasInt(offset) ? buffer().getInt(offset) : 0;
    }

    /** A field of the payload; 0 if the payload is too short for it. */
    int shortAt(int offset) {
        return payload.length >= offset + Short.BYTES ? Short.toUnsignedInt(buffer().getShort(offset)) : 0;
    }

    /** A field of the payload; 0 if the payload is too short for it. */
    long longAt(int offset) {
        return hasLong(offset) ? buffer().getLong(offset) : 0;
    }

    /** The same with another value of a field, if the payload has that field. */
    Message withInt(int offset, int value) {
        if (!hasInt(offset)) {
            return this;
        }
        byte[] copy = payload.clone();
        ByteBuffer.wrap(copy).order(ByteOrder.nativeOrder()).putInt(offset, value);
        return withPayload(copy);
    }

    /** The same with another value of a field, if the payload has that field. */
    Message withLong(int offset, long value) {
        if (!hasLong(offset)) {
            return this;
        }
        byte[] copy = payload.clone();
        ByteBuffer.wrap(copy).order(ByteOrder.nativeOrder()).putLong(offset, value);
        return withPayload(copy);
    }

    private ByteBuffer buffer() {
        return ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder());
    }

    boolean needsReply() {
        return (flags & Connection.NEED_REPLY) != 0;
    }

    byte[] encode() {
        byte[] bytes = Connection.encode(request, flags, payload);
        ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putInt(8, size);
        return bytes;
    }

    /** Closes the descriptors. */
    void close() {
        fds.forEach(Fd::close);
    }
}
