package org.exomem.conform.explore;

import java.util.List;

/** One action of a front-end or a driver. Each can be written as a line of text: {@link ScriptText}. */
@SuppressWarnings("ArrayRecordComponent") // compared as text only
public sealed interface Step {
    /**
     * Sends one message.
     *
     * @param request the request's number
     * @param flags all 32 bits
     * @param payload the bytes that follow the header
     * @param size the payload's size in the header, in bytes
     * @param fds the descriptors that are sent with it
     */
    record Send(int request, int flags, int size, byte[] payload, List<Attachment> fds) implements Step {
        public Send {
            fds = List.copyOf(fds);
        }
    }

    /** Writes guest memory, at a guest address within it. */
    record Write(long address, byte[] bytes) implements Step {}

    /** Signals a ring's kick descriptor. */
    record Kick(int ring) implements Step {}

    /** Waits until the back-end has answered a GET_FEATURES, or has closed the connection. */
    record Settle() implements Step {}

    /** Closes the connection and opens another one. */
    record Reconnect() implements Step {}

    /** A kind of descriptor. */
    enum Attachment {
        /** The file of the guest memory. */
        MEMORY,
        /** The kick descriptor of ring 0. */
        KICK,
        /** The call descriptor of ring 0. */
        CALL,
        /** A file of one page that is not shared with any other process. */
        PAGE,
        /** An empty file. */
        EMPTY,
        /** One end of a pipe whose other end is closed. */
        PIPE,
        /** One end of a pair of sockets whose other end is closed. */
        SOCKET
    }
}
