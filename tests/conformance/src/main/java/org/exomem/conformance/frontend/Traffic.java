package org.exomem.conformance.frontend;

/** Notified of every message on a connection. Called by the thread that uses the connection; must not block. */
public interface Traffic {
    /** Ignores all notifications. */
    Traffic UNWATCHED = new Traffic() {
        @Override
        public void sent(byte[] bytes, int fds) {}

        @Override
        public void received(Reply message) {}

        @Override
        public void closed() {}
    };

    /**
     * Bytes were sent: a message, or any other bytes.
     *
     * @param fds number of descriptors that were sent with them
     */
    void sent(byte[] bytes, int fds);

    /** A whole message was received. */
    void received(Reply message);

    /** The back-end has closed the connection. */
    void closed();
}
