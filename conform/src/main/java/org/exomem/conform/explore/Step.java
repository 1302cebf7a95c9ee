package org.exomem.conform.explore;

import java.util.List;

/** One thing that a front-end or a driver does. All of it can be written as a line of text: {@link ScriptText}. */
@SuppressWarnings("ArrayRecordComponent") // compared as text only
public sealed interface Step {
    /**
     * Sends one message.
     *
     * @param request its number
     * @param flags all 32 bits
     * @param payload what follows the header
     * @param size what the header says of the payload's size in bytes
     * @param fds the descriptors that go along
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
        /** The file that guest memory lies in. */
        MEMORY,
        /** The kick descriptor of ring 0. */
        KICK,
        /** The call descriptor of ring 0. */
        CALL,
        /** A file of one page that is shared with nobody. */
        PAGE,
        /** A file without content. */
        EMPTY,
        /** One end of a pipe whose other end is closed. */
        PIPE,
        /** One end of a pair of sockets whose other end is closed. */
        SOCKET
    }
}
