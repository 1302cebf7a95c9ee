package org.exomem.conformance.frontend;

/** Is told of every message that goes over a connection. Called by the thread that uses the connection; must not block. */
public interface Traffic {
    /** Is told, and does nothing. */
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
     * @param fds descriptors that went along
     */
    void sent(byte[] bytes, int fds);

    /** A whole message came. */
    void received(Reply message);

    /** The back-end has closed the connection. */
    void closed();
}
